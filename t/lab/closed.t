#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is private lets no cleartext in either, whatever became of the daemon (K5)."""
import socket

from lab import *

LIMIT = 5.0

wire = Wire()
a, b = wire.host("a"), wire.host("b")


def listen(host, port, address="::"):
    """A socket of the host that datagrams to the port come to."""
    def bound():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind((address, port))
        return sock
    return host.call(bound)


def comes(sock, limit=0.5):
    """The next datagram's text; "" when none comes in time."""
    sock.settimeout(limit)
    try:
        return sock.recv(100).decode()
    except TimeoutError:
        return ""


def gets(sock, sender, to, text, limit=LIMIT):
    """Whether what the sender sends comes, and nothing else."""
    ok(sender.udp_send(to, 9, text.encode()), f"{sender.name} sends to {to}: {text}")
    return comes(sock, limit) == text


# --- kill -9 with a tunnel to a private host, and a release -------------------------------------
b.serve()
for host, other in ((a, b), (b, a)):
    host.oe(policies={"private": [f"{other.v4}/32", f"{other.v6}/128"]}, extra="retransmit-timeout=2s")
for to in (b.v4, b.v6):
    is_(a.ping(to, limit=LIMIT), 1, f"a tunnel to {to}")
datagrams = listen(a, 9)
for to in (a.v4, a.v6):
    ok(gets(datagrams, b, to, "tunnelled"), "which comes")
a.oe_daemon.kill()
b.oe_daemon.stop()
is_(b.oe_run("--flush").returncode, 0, "b has no daemon and no policy any more")
for when in ("after kill -9", "after a release", "after another"):
    if when != "after kill -9":
        is_(a.oe_run("--release").returncode, 0, "oe-resolverd --release")
    for to in (a.v4, a.v6):
        mark = wire.now()
        ok(not gets(datagrams, b, to, when, 0.5), f"{when}: cleartext to {to} does not come in")
        ok(wire.clear(b, a, since=mark, one_way=True), "though it was on the wire")
is_(a.oe_run("--flush").returncode, 0, "oe-resolverd --flush")
for to in (a.v4, a.v6):
    ok(gets(datagrams, b, to, "flushed"), "opens what was closed")
is_(wire.capture.lost(), 0, "the capture lost nothing")
