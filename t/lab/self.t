#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself, without a line of ours: peers come up, and the tap sees what it should."""
import time

from lab import *

wire = Wire()
a, b, c, d = (wire.host(name) for name in "abcd")
dns = wire.dns_host({"a.example": a, "b.example": [b, "TXT \"hello\""]})

# Names, and the weather on the wire
answer = a.dns("b.example", server=dns.v4)
is_((answer.rcode, answer.addresses), ("NOERROR", [b.v4]), "nsd answers A over UDP")
is_(a.dns("b.example", "AAAA", server=dns.v6, tcp=True).addresses, [b.v6], "and AAAA over TCP and IPv6")
is_(a.dns("nobody.example", server=dns.v4).rcode, "NXDOMAIN", "and knows what it has not")
is_(a.ping(b), 1, "IPv4 crosses the wire")
is_(a.ping(b.v6), 1, "IPv6 crosses the wire")
ok(wire.clear(a, b), "the capture calls that clear")
b.serve(7)
wire.delay(b, 60)
taken = a.tcp_connect(b)
ok(taken and taken >= 60, f"a delay of 60 ms shows in a TCP connect ({taken or -1:.1f} ms)")
wire.delay(b, 0)
wire.cut(b)
is_(a.ping(b, limit=0.5), 0, "a cut host is silent")
wire.mend(b)
is_(a.ping(b), 1, "and back when mended")

# the capture says when a frame came, also where its reader loses the processor between two looks at the clock
clock, slow = time.time, iter([0.2])
def late():
    time.sleep(next(slow, 0))
    return clock()
mark = wire.now()
time.time = late
a.ping(b)
seen = wire.seen(a, b, since=mark)
time.time = clock
is_([p.kind for p in seen if p.kind == "icmp"], ["icmp"] * 2, "no frame moves into the past")

# libreswan with libreswan, NULL authentication, by an acquire
for host in (a, b):
    host.start_libreswan(policies={"private-or-clear": "192.0.2.1/32\n192.0.2.2/32"})
mark = wire.now()
a.ping(b, count=10, interval=0.3)
ok(a.has_sa(b), "libreswan brings up a pair of SAs")
ok(a.ping(b) == 1, "and traffic flows")
both = {p.src for p in wire.esp(a, b, since=mark)}
is_(both, {a.v4, b.v4}, "as ESP in both directions")
is_(len(wire.negotiations(a, b, since=mark)), 1, "after one negotiation")

# strongSwan with strongSwan, PSK, by a trap
for host, peer in ((c, d), (d, c)):
    host.start_strongswan(swanctl_conf(swan_connection(
        host.v4, peer.v4, local={"id": host.v4}, remote={"id": peer.v4},
        child={"mode": "transport", "start_action": "trap"})))
mark = wire.now()
c.ping(d, count=10, interval=0.3)
ok(c.has_sa(d), "strongSwan brings up a pair of SAs")
is_({p.src for p in wire.esp(c, d, since=mark)}, {c.v4, d.v4}, "and ESP flows both ways")
is_(wire.capture.lost(), 0, "the capture lost nothing")
