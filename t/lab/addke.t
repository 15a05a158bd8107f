#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_INTERMEDIATE (RFC 9242) with libreswan 4.10 in both roles; additional key exchanges (RFC 9370) between two of
ours, and what a peer that does not know them makes of an offer that may go without."""
from lab import *

DEMAND = "ike=aes_gcm256-sha2_256;x25519;addke1=ecp384;addke2=modp3072"
YES = "ike=aes_gcm256-sha2_256;x25519\nintermediate=yes"
WISH = "ike=aes_gcm256-sha2_256;x25519;addke1=ecp384+none"

wire = Wire()
names = ("two", "wish", "one", "lsw", "lsw2", "lsww", "lsww2", "ssww", "ssww2")
pairs = {name: (wire.host(f"o-{name}"), wire.host(f"p-{name}")) for name in names}
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs.values() for host in pair})


def oe(host, peer, extra):
    host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, forward=dns, auth="secret", secrets=SECRET,
            extra=f"{extra}\nretransmit-timeout=3s")


def go(name, label, begins, intermediates, proposal):
    a, b = pairs[name]
    mark = wire.now()
    if begins == "ours":
        a.dns(f"{b.name}.example")
    else:
        b.ping(a, count=8, interval=0.3)
    ok(a.has_sa(b), f"{label}: the SAs stand")
    is_(a.ping(b, count=3, limit=3), 3, f"{label}: traffic")
    is_({p.src for p in wire.esp(a, b, since=mark)}, {a.v4, b.v4}, f"{label}: ESP both ways")
    seen = {(p.exchange, p.message_id) for p in wire.ike(a, b, since=mark) if p.exchange == "IKE_INTERMEDIATE"}
    is_(len(seen), intermediates, f"{label}: exchanges between IKE_SA_INIT and IKE_AUTH")
    is_(a.peer(b)["proposal"], proposal, f"{label}: oectl")


PLAIN = "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519"
for name, ours, theirs, count, want in (("two", DEMAND, DEMAND, 2, f"{PLAIN}/KE1_ECP_384/KE2_MODP_3072"),
                                        ("wish", WISH, WISH, 1, f"{PLAIN}/KE1_ECP_384"),
                                        ("one", WISH, "ike=aes_gcm256-sha2_256;x25519", 0, PLAIN)):
    a, b = pairs[name]
    oe(a, b, ours)
    oe(b, a, theirs)
    go(name, f"two of ours, {name}", "ours", count, want)

for name, begins, extra, theirs, count in (("lsw", "ours", YES, "intermediate=yes", 1),
                                           ("lsw2", "theirs", YES, "intermediate=yes", 1),
                                           ("lsww", "ours", WISH, "intermediate=yes", 1),
                                           ("lsww2", "theirs", WISH, "intermediate=yes", 1)):
    a, b = pairs[name]
    oe(a, b, extra)
    b.start_libreswan(policies={"private-or-clear": f"{a.v4}/32"}, auth="secret", secrets=SECRET, extra=theirs)
    go(name, f"libreswan, begun by {begins}, {extra.splitlines()[-1]}", begins, count, PLAIN)

for name, begins in (("ssww", "ours"), ("ssww2", "theirs")):
    a, b = pairs[name]
    oe(a, b, WISH)
    b.start_strongswan(swanctl_conf(swan_connection(
        b.v4, a.v4, child={"start_action": "none" if begins == "ours" else "trap"})))
    go(name, f"strongSwan, begun by {begins}, {WISH}", begins, 0, PLAIN)
