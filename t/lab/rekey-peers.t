#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs are replaced while traffic flows, and no packet is lost: with libreswan and strongSwan, begun by either end."""
from lab import *
from lab.rekeying import SHORT, pairs_of, rekeying

wire = Wire()
pairs, oe = pairs_of(wire, "lsw", "lsw2", "ssw", "ssw2", "sswi")

for name, ours_extra, theirs_extra in (("lsw", SHORT, "rekey=no"), ("lsw2", "rekey=no", "salifetime=6s\nrekeymargin=2s\nrekeyfuzz=0%")):
    a, b = pairs[name]
    oe(a, b, ours_extra)
    b.start_libreswan(policies={"private-or-clear": f"{a.v4}/32"}, auth="secret", secrets=SECRET, extra=theirs_extra)
    rekeying(wire, f"libreswan, {'CHILD SA by us' if name == 'lsw' else 'CHILD SA by libreswan'}", a, b, 1, hasty=True)

LATER = {"rekey_time": "1h"}
SOON = {"rekey_time": "3s", "rand_time": 0, "life_time": "30s"}
for name, extra, child, ike in (("ssw", SHORT, {"esp_proposals": "aes256gcm16-x25519", **LATER}, {}),
                                ("ssw2", "rekey=no", {"esp_proposals": "aes256gcm16-x25519", **SOON}, {}),
                                ("sswi", "rekey=no", LATER, {"rekey_time": "4s", "rand_time": 0, "over_time": "20s"})):
    a, b = pairs[name]
    oe(a, b, extra)
    b.start_strongswan(swanctl_conf(swan_connection(b.v4, a.v4, child=child, **ike)))
    rekeying(wire, f"strongSwan, {dict(ssw='CHILD SA by us', ssw2='CHILD SA by strongSwan', sswi='IKE SA by strongSwan')[name]}", a, b)
