#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The HOWTO's mesh with strongSwan 5.9.8 on the other end, as initiator and as responder."""
from lab import *

wire = Wire()
KINDS = ("rsa2048", "rsa3072", "ecdsa256", "ecdsa384", "ed25519")
cases = [(kind, who, wire.host(f"o-{kind}-{who[0]}"), wire.host(f"s-{kind}-{who[0]}"))
         for kind in KINDS for who in ("ours", "theirs")]
dns = wire.dns_host({f"{host.name}.example": host.v4 for case in cases for host in case[2:]})
for kind, who, ours, theirs in cases:
    pki = Pki(kind)
    for host in (ours, theirs):
        pki.issue(host.name)
    ours.import_p12(pki)
    ours.oe(policies={"private": f"{theirs.v4}/32"}, forward=dns,
            conns=example("mesh", NAME=ours.name).replace("auth=rsasig", f"auth={method_of(kind)}"))
    theirs.start_strongswan(swanctl_conf(swan_connection(
        theirs.v4, ours.v4, local={"auth": "pubkey", "certs": f"{theirs.name}.pem"},
        remote={"auth": "pubkey", "cacerts": "ca.pem"},
        child={"start_action": "none" if who == "ours" else "trap"}), psk=None), pki=pki)
    label = f"{kind}, initiated by {'us' if who == 'ours' else 'strongSwan'}"
    if who == "ours":
        answer = ours.dns(f"{theirs.name}.example")
        is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    else:
        theirs.ping(ours, count=8, interval=0.3)
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    is_(ours.ping(theirs, count=2, limit=3), 2, f"{label}: traffic from us")
    is_(theirs.ping(ours, count=2, limit=3), 2, f"{label}: traffic from them")
    is_({p.src for p in wire.esp(ours, theirs, since=mark)}, {ours.v4, theirs.v4}, f"{label}: ESP both ways")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    pki.remove()
