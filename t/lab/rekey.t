#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs are replaced while traffic flows, and no packet is lost: with ourselves, libreswan and strongSwan."""
import re

from lab import *

SECRET = ': PSK "an old friend of both"\n'
SHORT = "salifetime=4s\nrekeymargin=1s\nrekeyfuzz=0%"
SHORT_IKE = "ikelifetime=5s\nrekeymargin=1s\nrekeyfuzz=0%"

SWANCTL = """
connections {{
	oe {{
		version = 2
		local_addrs = {me}
		remote_addrs = {peer}
		proposals = aes256gcm16-prfsha256-x25519
		{ike_rekey}
		local {{
			auth = psk
		}}
		remote {{
			auth = psk
		}}
		children {{
			host {{
				local_ts = {me}/32
				remote_ts = {peer}/32
				esp_proposals = {esp}
				{child_rekey}
				start_action = none
			}}
		}}
	}}
}}
secrets {{
	ike-psk {{
		secret = "an old friend of both"
	}}
}}
"""


def spis(host, to):
    return set(re.findall(rf"src {re.escape(host.v4)} dst {re.escape(to.v4)}\s+proto esp spi (0x(?!00000000)\w+)",
                          host.run("ip", "xfrm", "state").stdout))


def run(label, ours, theirs, exchanges=2):
    """Traffic both ways for some seconds while SAs are replaced."""
    answer = ours.dns(f"{theirs.name}.example")
    is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    before = spis(ours, theirs)
    there = ours.ping_start(theirs, count=110, interval=0.1)
    back = theirs.ping_start(ours, count=110, interval=0.1)
    seen = set(before)
    while not (there.done and back.done):
        seen |= spis(ours, theirs)
        time.sleep(0.5)
    creates = [p for p in wire.ike(ours, theirs, since=mark) if p.exchange == "CREATE_CHILD_SA"]
    ok(len(creates) >= 2 * exchanges, f"{label}: {len(creates)} messages of CREATE_CHILD_SA")
    is_((there.result(), back.result()), (110, 110), f"{label}: no packet is lost")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    is_(len(wire.negotiations(ours, theirs, since=mark)), 0, f"{label}: and no new negotiation")
    is_(ours.peer(theirs)["state"], "tunnelled", f"{label}: oectl")
    return len(seen)


wire = Wire()
pairs = {name: (wire.host(f"o-{name}"), wire.host(f"p-{name}"))
         for name in ("child", "ike", "both", "packets", "lsw", "lsw2", "ssw", "ssw2", "sswi")}
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs.values() for host in pair})


def oe(host, peer, extra=""):
    host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, forward=dns, auth="secret", secrets=SECRET, extra=extra)


for name, extra, other in (("child", SHORT, "rekey=no"), ("ike", "rekey=no", SHORT_IKE),
                           ("packets", "ipsec-max-packets=60", "ipsec-max-bytes=6KiB"),
                           ("both", f"{SHORT}\nikelifetime=5s", f"{SHORT}\nikelifetime=5s")):
    a, b = pairs[name]
    oe(a, b, extra)
    oe(b, a, other)
    count = run(f"ours with ours, {name}", a, b)
    ok(count > 1 if name != "ike" else count == 1, f"ours with ours, {name}: {count} pairs in turn")

for name, ours_extra, theirs_extra in (("lsw", SHORT, "rekey=no"), ("lsw2", "rekey=no", "salifetime=6s\nrekeymargin=2s\nrekeyfuzz=0%")):
    a, b = pairs[name]
    oe(a, b, ours_extra)
    b.start_libreswan(policies={"private-or-clear": f"{a.v4}/32"}, auth="secret", secrets=SECRET, extra=theirs_extra)
    run(f"libreswan, {'CHILD SA by us' if name == 'lsw' else 'CHILD SA by libreswan'}", a, b, 1)

for name, extra, esp, child, ike in (("ssw", SHORT, "aes256gcm16-x25519", "rekey_time = 1h", ""),
                                     ("ssw2", "rekey=no", "aes256gcm16-x25519", "rekey_time = 3s\n\t\t\t\trand_time = 0\n\t\t\t\tlife_time = 30s", ""),
                                     ("sswi", "rekey=no", "aes256gcm16", "rekey_time = 1h", "rekey_time = 4s\n\t\trand_time = 0\n\t\tover_time = 20s")):
    a, b = pairs[name]
    oe(a, b, extra)
    b.start_strongswan(SWANCTL.format(me=b.v4, peer=a.v4, esp=esp, child_rekey=child, ike_rekey=ike))
    run(f"strongSwan, {dict(ssw='CHILD SA by us', ssw2='CHILD SA by strongSwan', sswi='IKE SA by strongSwan')[name]}", a, b)
