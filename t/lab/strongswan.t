#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""oe-resolverd and strongSwan 5.9.8 with a PSK, each as initiator and as responder."""
from lab import *

wire = Wire()
cases = [(who, wire.host(f"o-{who}"), wire.host(f"s-{who}")) for who in ("ours", "theirs")]
dns = wire.dns_host({f"{host.name}.example": host.v4 for case in cases for host in case[1:]})
for who, ours, theirs in cases:
    ours.oe(policies={"private-or-clear": f"{theirs.v4}/32"}, forward=dns, auth="secret", secrets=SECRET)
    theirs.start_strongswan(swanctl_conf(swan_connection(
        theirs.v4, ours.v4, proposals="aes256gcm16-prfsha256-x25519, aes128gcm16-prfsha256-ecp256",
        local={"id": theirs.v4}, remote={"id": ours.v4},
        child={"esp_proposals": "aes256gcm16, aes128gcm16", "start_action": "none" if who == "ours" else "trap"})))
    label = f"PSK, initiated by {'us' if who == 'ours' else 'strongSwan'}"
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
