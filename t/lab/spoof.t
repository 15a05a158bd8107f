#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stranger sends IKE_SA_INIT in the peer's name: our own negotiation does not care (N2)."""
import os
import socket
import struct

from lab import *

LINES = {"private-or-clear": "192.0.2.0/28"}

wire = Wire()
a, b, c, mallory = (wire.host(name) for name in ("a", "b", "c", "mallory"))
dns = wire.dns_host({"a.example": a.v4, "b.example": b.v4, "c.example": c.v4})
for host in (a, b, c):
    host.oe(policies=LINES, forward=dns)


def spoof(packet, src, dst, count):
    """Send the IKE message of a captured packet count times, each with a new SPI, from src's port 500."""
    frame = packet.data[14:]
    message = frame[(frame[0] & 15) * 4 + 8:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for _ in range(count):
            body = os.urandom(8) + message[8:]
            udp = struct.pack("!HHHH", 500, 500, 8 + len(body), 0) + body
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                             socket.inet_aton(src), socket.inet_aton(dst))
            sock.sendto(ip + udp, (dst, 0))


# A real request of b's, to be sent again under false SPIs
b.dns("c.example")
request = [p for p in wire.ike(b, c) if p.exchange == "IKE_SA_INIT" and not p.response][0]

mark = wire.now()
mallory.call(spoof, request, b.v4, a.v4, 5)
ok([p for p in wire.ike(a, b, since=mark) if p.port == "mallory"], "forged requests are on the wire")
wire.delay(b, 30)
lookup = a.dns_start("b.example")
mallory.call(spoof, request, b.v4, a.v4, 5)
answer = lookup.result()
mallory.call(spoof, request, b.v4, a.v4, 5)
is_(answer.addresses, [b.v4], f"our own negotiation is answered: {answer}")
is_(len([p for p in wire.ike(a, b, since=mark) if p.exchange == "IKE_AUTH"]), 2, "in one IKE_AUTH")
is_(a.ping(b), 1, "and traffic flows")
is_(a.peer(b)["state"], "tunnelled", "in the tunnel")
is_(len(wire.clear(a, b, since=mark)), 0, "nothing in the clear")
time.sleep(1)
is_(a.ping(b), 1, "and still does")
