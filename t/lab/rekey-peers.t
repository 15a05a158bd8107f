#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs are replaced while traffic flows, and no packet is lost: with libreswan and strongSwan, begun by either end."""
from lab import *
from lab.rekeying import rekeying

SECRET = ': PSK "an old friend of both"\n'
SHORT = "salifetime=4s\nrekeymargin=1s\nrekeyfuzz=0%"

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

wire = Wire()
pairs = {name: (wire.host(f"o-{name}"), wire.host(f"p-{name}"))
         for name in ("lsw", "lsw2", "ssw", "ssw2", "sswi")}
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs.values() for host in pair})


def oe(host, peer, extra=""):
    host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, forward=dns, auth="secret", secrets=SECRET, extra=extra)


for name, ours_extra, theirs_extra in (("lsw", SHORT, "rekey=no"), ("lsw2", "rekey=no", "salifetime=6s\nrekeymargin=2s\nrekeyfuzz=0%")):
    a, b = pairs[name]
    oe(a, b, ours_extra)
    b.start_libreswan(policies={"private-or-clear": f"{a.v4}/32"}, auth="secret", secrets=SECRET, extra=theirs_extra)
    rekeying(wire, f"libreswan, {'CHILD SA by us' if name == 'lsw' else 'CHILD SA by libreswan'}", a, b, 1)

for name, extra, esp, child, ike in (("ssw", SHORT, "aes256gcm16-x25519", "rekey_time = 1h", ""),
                                     ("ssw2", "rekey=no", "aes256gcm16-x25519", "rekey_time = 3s\n\t\t\t\trand_time = 0\n\t\t\t\tlife_time = 30s", ""),
                                     ("sswi", "rekey=no", "aes256gcm16", "rekey_time = 1h", "rekey_time = 4s\n\t\trand_time = 0\n\t\tover_time = 20s")):
    a, b = pairs[name]
    oe(a, b, extra)
    b.start_strongswan(SWANCTL.format(me=b.v4, peer=a.v4, esp=esp, child_rekey=child, ike_rekey=ike))
    rekeying(wire, f"strongSwan, {dict(ssw='CHILD SA by us', ssw2='CHILD SA by strongSwan', sswi='IKE SA by strongSwan')[name]}", a, b)
