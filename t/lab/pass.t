#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""negotiationshunt=passthrough: packets pass in the clear until the tunnel stands, then none does, and none is lost."""
import select
import socket

from lab import *
from lab.peers import group_conn

LINES = {"private-or-clear": "192.0.2.0/28\n2001:db8::/124"}
# The kernel holds 100 packets for a policy: half a second of these, where the other end holds its answers.
COUNT, EVERY, RTT_MS = 200, 0.005, 30
CONNS = group_conn("private-or-clear").replace("negotiationshunt=hold", "negotiationshunt=passthrough")

wire = Wire()
a, b, c, d = (wire.host(name) for name in "abcd")
for host in (a, b, c, d):
    host.serve(7)
    wire.delay(host, RTT_MS // 2)


def stream(host, to):
    """How many of COUNT datagrams to the echo of another host come back."""
    def talk():
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        seen = set()
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            begin = time.monotonic()
            for i in range(COUNT):
                sock.sendto(i.to_bytes(4, "big"), (to, 7))
                while select.select([sock], [], [], max(0, begin + (i + 1) * EVERY - time.monotonic()))[0]:
                    seen.add(sock.recv(100))
            while select.select([sock], [], [], 0.5)[0]:
                seen.add(sock.recv(100))
        return len(seen)
    return host.call(talk)


def goes_over(one, other, to, label):
    """A stream that begins in the clear goes on in the tunnel."""
    is_(stream(one, to), COUNT, f"{label}: no datagram is lost, and no answer")
    clear, esp = wire.clear(one, other), wire.esp(one, other)
    ok(clear and esp, f"{label}: {len(clear)} packets passed in the clear, {len(esp)} in ESP")
    mark = wire.now()
    is_(one.ping(to), 1, f"{label}: a ping")
    is_(len(wire.clear(one, other, since=mark)), 0, f"{label}: when the tunnel stands nothing is clear any more")


for host in (a, b):
    host.oe(policies=LINES, conns=CONNS)
goes_over(a, b, b.v4, "both pass")

# The other end holds, and has nothing to send.
c.oe(policies=LINES, conns=CONNS)
d.oe(policies=LINES)
goes_over(c, d, d.v4, "the other end holds")
goes_over(c, d, d.v6, "by IPv6")
