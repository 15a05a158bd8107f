#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""oe-resolverd and libreswan 4.10, each as initiator and as responder, NULL and PSK."""
from lab import *

LINES = {"private-or-clear": "192.0.2.0/28"}

wire = Wire()
cases = []
for auth in ("null", "secret"):
    for who in ("ours", "theirs"):
        cases.append((auth, who, wire.host(f"o-{auth}-{who}"[:15]), wire.host(f"l-{auth}-{who}"[:15])))
dns = wire.dns_host({f"{name.name}.example": name.v4 for case in cases for name in case[2:]})
for auth, who, ours, theirs in cases:
    secrets = SECRET if auth == "secret" else ""
    policy = {"private-or-clear": f"{ours.v4}/32\n{theirs.v4}/32"}
    ours.oe(policies=policy, forward=dns, auth=auth, secrets=secrets)
    pluto = theirs.start_libreswan(policies=policy, auth=auth, secrets=secrets)
    label = f"{auth}, initiated by {'us' if who == 'ours' else 'libreswan'}"
    mark = wire.now()
    if who == "ours":
        answer = ours.dns(f"{theirs.name}.example")
        is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    else:
        theirs.ping(ours, count=8, interval=0.3)
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    is_(ours.ping(theirs, count=3, limit=3), 3, f"{label}: traffic from us")
    is_(theirs.ping(ours, count=3, limit=3), 3, f"{label}: traffic from them")
    is_({p.src for p in wire.esp(ours, theirs, since=mark)}, {ours.v4, theirs.v4}, f"{label}: ESP both ways")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    flow = ours.peer(theirs)
    is_((flow["state"], flow["trigger"]), ("tunnelled", "dns" if who == "ours" else "inbound"), f"{label}: oectl")
    note(f"{label}: auth {flow['auth']}")
