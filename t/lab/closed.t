#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is private lets no cleartext in either, whatever became of the daemon and whichever address we get (K5, K7)."""
import select
import socket

from lab import *

LIMIT = 5.0
ALL = ["255.255.255.255", "224.0.0.1", "ff02::1%eth0"]

wire = Wire()
a, b, c = (wire.host(name) for name in "abc")  # to a, b is private and c is nobody


def listen(host, port):
    """Sockets of the host that datagrams to the port come to; one for each family, as IPv4's multicast asks."""
    def bound():
        socks = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
        socks[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for sock in socks:
            sock.bind(("", port))
        return socks
    return host.call(bound)


def comes(socks, limit=0.5):
    """The next datagram's text; "" when none comes in time."""
    ready, _, _ = select.select(socks, [], [], limit)
    return ready[0].recv(100).decode() if ready else ""


def gets(socks, sender, to, text, limit=LIMIT):
    """Whether what the sender sends comes, and nothing else."""
    ok(sender.udp_send(to, 9, text.encode()), f"{sender.name} sends to {to}: {text}")
    return comes(socks, limit) == text


def shout(host, to, text, source=""):
    """A datagram to everybody, or with an address of the link."""
    def send():
        family, _, _, _, name = socket.getaddrinfo(to, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((source, 0))
            sock.sendto(text.encode(), name)
    host.call(send)


def guarded(socks, label, *own):
    """Nothing in the clear comes from b; all that c sends does."""
    for to in own:
        mark = wire.now()
        ok(not gets(socks, b, to, f"{label}, private", 0.5), f"{label}: cleartext of a private host to {to} does not come in")
        ok(wire.clear([b.v4, b.v6], [to], since=mark, one_way=True), "though it was on the wire")
        ok(gets(socks, c, to, f"{label}, no group"), f"{label}: that of another host does")


def heard(socks, label, *everybody):
    """What b sends to all comes (G6)."""
    for to in everybody:
        shout(b, to, f"{label} to {to}")
        is_(comes(socks, LIMIT), f"{label} to {to}", f"{label}: what a private host sends to {to} does come in")


# --- kill -9 with a tunnel to a private host, and a release -------------------------------------
b.serve()
for host, other in ((a, b), (b, a)):
    host.oe(policies={"private": [f"{other.v4}/32", f"{other.v6}/128"]}, extra="retransmit-timeout=2s")
for to in (b.v4, b.v6):
    is_(a.ping(to, limit=LIMIT), 1, f"a tunnel to {to}")
datagrams = listen(a, 9)
for to in (a.v4, a.v6):
    ok(gets(datagrams, b, to, "tunnelled"), "which comes")
beside = a.oe_run("--closed")
is_(beside.returncode, 0, f"--closed beside a daemon is content: {beside.stderr.strip()}")
ok(a.has_sa(b, limit=0), "and leaves its tunnels alone")
for to in (a.v4, a.v6):
    ok(gets(datagrams, b, to, "still tunnelled"), "which carry on")
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
    heard(datagrams, when, *ALL)
is_(a.oe_run("--flush").returncode, 0, "oe-resolverd --flush")
for to in (a.v4, a.v6):
    ok(gets(datagrams, b, to, "flushed"), "opens what was closed")

# --- exceptions to what is private: a clear host, and one that may be had in the clear ------------------
wide = {"private": ["192.0.2.0/28", "2001:db8::/124"], "clear": [f"{b.v4}/32", f"{b.v6}/128"],
        "private-or-clear": [f"{c.v4}/32", f"{c.v6}/128"]}
a.oe(policies=wide, extra="retransmit-timeout=1s")
c.serve()


def excepted(label):
    for host in (b, c):
        for to in (host.v4, host.v6):
            ok(a.tcp_connect(to, limit=LIMIT), f"{label}: {host.name}, which is an exception to private, is reached at {to}")
        ok(host.udp_send(a.v4, 9, label.encode()) and comes(datagrams, LIMIT) == label, f"{label}: and reaches us")
    mark = wire.now()
    is_(a.ping("192.0.2.9", limit=0.5), 0, f"{label}: its neighbour is not")
    is_(len(wire.clear(a, "192.0.2.9", since=mark)), 0, f"{label}: nothing to that is in the clear")


excepted("a daemon runs")
a.oe_daemon.stop()
excepted("it was stopped")
a.oe_start()
a.oe_daemon.kill()
is_(a.oe_run("--release").returncode, 0, "kill -9, and oe-resolverd --release")
excepted("released")
a.reboot(lambda: is_(a.oe_run("--closed").returncode, 0, "closed at boot"))
datagrams = listen(a, 9)
excepted("closed at boot")
a.oe_start()
excepted("a daemon again")
a.oe_daemon.stop()
is_(a.oe_run("--flush").returncode, 0, "oe-resolverd --flush")
a.oe_configure(policies={"private": [f"{b.v4}/32", f"{b.v6}/128"]}, extra="retransmit-timeout=2s")

# --- closed before there is a link, and no daemon ----------------------------------------------------
a.reboot(lambda: is_(a.oe_run("--closed").returncode, 0, "oe-resolverd --closed before there is a link"))
datagrams = listen(a, 9)
guarded(datagrams, "closed", a.v4, a.v6)
heard(datagrams, "closed", *ALL)
shout(b, "fe80::ff:fe00:1%eth0", "link", b.v6)
is_(comes(datagrams, LIMIT), "link", "to our link-local address too")

# --- the daemon dies, and then an address comes ----------------------------------------------------
a.oe_start()
guarded(datagrams, "with a daemon", a.v4, a.v6)
heard(datagrams, "with a daemon", *ALL, "192.0.2.255")
a.oe_daemon.kill()
a.ip("address add 192.0.2.77/24 dev eth0", "address add 2001:db8::77/64 dev eth0 nodad")
guarded(datagrams, "a new address", "192.0.2.77", "2001:db8::77")
heard(datagrams, "after kill -9", *ALL, "192.0.2.255")
is_(wire.capture.lost(), 0, "the capture lost nothing")
