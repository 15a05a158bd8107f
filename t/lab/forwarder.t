#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS forwarder is itself in a group (A13); and glibc with a dead IPv6 peer and a live IPv4 one."""
from lab import *

GROUP = {"private-or-clear": "192.0.2.0/24\n2001:db8::/64"}

wire = Wire()
a, b, plain, both = (wire.host(name) for name in ("a", "b", "plain", "both"))
zone = {"b.example": b.v4, "plain.example": plain.v4, "both.example": [both.v4, "2001:db8::dead"]}
dns = wire.dns_host(zone)                                 # runs oe-resolverd too
dns2 = wire.dns_host(zone, name="dns2", number=54)        # does not
for host in (a, b, both, dns):
    host.serve(7)
dns.oe(policies=GROUP, forward="127.0.0.1", dns_listen="127.0.0.53")
both.oe(policies=GROUP, forward=dns)

# A forwarder with a tunnel of its own
a.oe(policies=GROUP, forward=dns)
b.oe(policies=GROUP, forward=dns)
answer = a.dns("b.example")
is_(answer.addresses, [b.v4], f"a name through a tunnelled forwarder: {answer}")
is_(a.peer(dns)["state"], "tunnelled", "the forwarder's own tunnel stands")
is_(len(wire.clear(a, dns)), 0, "no question of ours went in the clear")
is_(a.ping(b), 1, "and the name's address is reachable")
is_(len(wire.clear(a, b)), 0, "in the tunnel")

# One without
c = wire.host("c")
c.oe(policies=GROUP, forward=dns2)
c_answer = c.dns("b.example")
is_(c_answer.addresses, [b.v4], f"a name through a forwarder without IKE, private-or-clear: {c_answer}")

# Happy Eyeballs by glibc: AAAA is dead, A is alive
found = a.getaddrinfo("both.example")
ok(isinstance(found, list) and both.v4 in found, f"getaddrinfo: {found}")
connected = a.connect_by_name("both.example")
ok(connected and connected[0] == both.v4, f"an application connects to the live address: {connected}")
is_(len(wire.clear(a, both)), 0, "in the tunnel")
