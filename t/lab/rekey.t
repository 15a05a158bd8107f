#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs are replaced while traffic flows, and no packet is lost: ours with ours (rekey-peers.t has the others)."""
from lab import *
from lab.rekeying import SHORT, pairs_of, rekeying

MORE = "ike=aes_gcm256-sha2_256;x25519;addke1=ecp384;addke2=modp2048"
SHORT_IKE = "ikelifetime=5s\nrekeymargin=1s\nrekeyfuzz=0%"

wire = Wire()
pairs, oe = pairs_of(wire, "child", "ike", "both", "packets", "more")

for name, extra, other in (("child", SHORT, "rekey=no"), ("ike", "rekey=no", SHORT_IKE),
                           ("packets", "ipsec-max-packets=60", "ipsec-max-bytes=6KiB"),
                           ("more", f"{SHORT}\n{MORE}", f"ikelifetime=5s\nsalifetime=1h\n{MORE}\nrekeymargin=1s\nrekeyfuzz=0%"),
                           ("both", f"{SHORT}\nikelifetime=5s", f"{SHORT}\nikelifetime=5s")):
    a, b = pairs[name]
    oe(a, b, extra)
    oe(b, a, other)
    count = rekeying(wire, f"ours with ours, {name}", a, b)
    ok(count > 1 if name != "ike" else count == 1, f"ours with ours, {name}: {count} pairs in turn")
