#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many at once (N1, N3): lookups that join one negotiation, and packets with forged senders, to which we reply."""
import socket
import struct

from lab import *

LOOKUPS = 40
STRANGERS = 3000

wire = Wire()
a, b, c, mallory = (wire.host(name) for name in ("a", "b", "c", "mallory"))
dns = wire.dns_host({"b.example": b.v4, "c.example": c.v4, "many.example": [f"10.77.255.{n}" for n in range(1, 21)]})
lines = {"private": f"{b.v4}/32", "private-or-clear": f"{c.v4}/32\n10.77.0.0/16"}
a.oe(policies=lines, forward=dns)
for host in (b, c):
    host.oe(policies={"private-or-clear": a.v4}, forward=dns)

# Everything that starts at boot asks for the same name.
wire.delay(b, 200)
answers = [task.result() for task in [a.dns_start("b.example") for _ in range(LOOKUPS)]]
is_(len([answer for answer in answers if answer.addresses == [b.v4]]), LOOKUPS, "everybody gets the address")
is_(a.oectl("status")["ike"]["initiated"], 1, "for one negotiation")
wire.delay(b, 0)

# Who is asked for a name aims us at whom he likes.
answer = a.dns("many.example", timeout=5)
started = a.oectl("status")["ike"]["initiated"] - 1
ok(0 < started <= 8, f"an answer with twenty addresses begins {started} negotiations, and no more than eight")


def ping_from(sources, dst):
    """An echo request from each of these, none of which sent it."""
    echo = struct.pack("!BBHHH", 8, 0, 0xf7ff, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for source in sources:
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, socket.inet_aton(source),
                             socket.inet_aton(dst))
            sock.sendto(ip + echo, (dst, 0))


a.ip(f"route add 10.77.0.0/16 via {mallory.v4}")
strangers = [f"10.77.{number >> 8}.{number & 255}" for number in range(1, STRANGERS + 1)]
flood = mallory.spawn(ping_from, strangers, a.v4)


def counts():
    status = a.oectl("status")
    return status if status["refused_acquires"] > 0 else None


status = wait_for(counts, 20)
ok(status, "some replies to strangers begin no negotiation")
flood.result()
is_(a.dns("c.example").addresses, [c.v4], "a lookup is served meanwhile")
ok(wait_for(lambda: a.peer(c)["state"] == "tunnelled", 20), "with a tunnel")
status = a.oectl("status")
ok(status["negotiations"] <= 2001, f"no more than 2000 negotiations for them ({status['negotiations']})")
is_(a.ping(b), 1, "tunnels that stand go on")
is_(len(wire.clear(a, b)), 0, "nothing private was in the clear")
