#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, interfaces and routes come and go: private stays closed, traffic finds its way again (K7, N6, N10)."""
import socket
import threading

from lab import *

NETS = ["192.0.2.0/28", "198.51.100.0/28", "203.0.113.0/28", "2001:db8::/124"]
LIMIT = 15.0

wire = Wire()
a, b, c = (wire.host(name) for name in "abc")
for host in (a, b):
    host.call(lambda: open("/proc/sys/net/ipv4/conf/all/promote_secondaries", "w", encoding="ascii").write("1"))
    host.oe(policies={"private": NETS, "private-or-clear": f"{c.v4}/32"},
            extra="retransmit-timeout=2s\ndpddelay=2s")
for host in (a, b, c):
    host.serve()


class Stream:
    """Datagrams to `to` every 2 ms from a source that need not be there yet."""

    def __init__(self, host, source, to):
        self._end = threading.Event()
        self.sent = 0
        self._task = host.spawn(self._run, source, to)

    def _run(self, source, to):
        level, option = (socket.IPPROTO_IPV6, 78) if ":" in to else (socket.IPPROTO_IP, 15)
        with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(level, option, 1)  # FREEBIND
            sock.bind((source, 0))
            while not self._end.wait(0.002):
                try:
                    sock.sendto(b"from the first moment", (to, 7))
                    self.sent += 1
                except OSError:
                    pass

    def end(self):
        self._end.set()
        self._task.result()
        return self.sent


def closed(label, mark):
    """Nothing between the two has been in the clear since mark, whatever address they had."""
    packets = wire.clear(HERE, THERE, since=mark)
    is_(len(packets), 0, f"{label}: nothing in the clear")
    wire.show(packets, 10)


def reaches(label, to, local, since):
    """Traffic to `to` goes, encrypted, from the source that the route gives."""
    ok(wait_for(lambda: a.ping(to, limit=1), LIMIT), f"{label}: {to} answers")
    found = [p["local"] for p in a.oectl("peers") if p["remote"] == to and p["state"] == "tunnelled"]
    ok(local in found, f"{label}: a tunnel from {local} ({', '.join(found) or 'none'})")
    ok(wire.esp(local, to, since=since), f"{label}: and ESP between the two")
    closed(label, since)


def tunnels_of(local):
    return len([p for p in a.oectl("peers") if p["local"] == local and p["state"] == "tunnelled"])


HERE = ["192.0.2.1", "192.0.2.9", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2001:db8::9"]
THERE = ["192.0.2.2", "198.51.100.2", "203.0.113.2", "2001:db8::2"]

mark = wire.now()
reaches("at first", b.v4, a.v4, mark)
reaches("at first", b.v6, a.v6, mark)

# --- an address comes, and something sends from it before we know of it ------------------------
for new, to, plus in (("192.0.2.9", b.v4, "/24"), ("2001:db8::9", b.v6, "/64 nodad")):
    mark = wire.now()
    stream = Stream(a, new, to)
    a.ip(f"address add {new}{plus} dev eth0")
    arrived = wait_for(lambda: wire.esp(new, to, since=mark), LIMIT)
    ok(stream.end() > 0 and arrived, f"new address {new}: its datagrams leave encrypted")
    closed(f"new address {new}", mark)

# --- an interface comes on both sides, in a net of its own ----------------------------------------
mark = wire.now()
for host in (a, b):
    wire.place.ip(f"link add dev {host.name}2 type veth peer name eth1 netns {host.name}",
                  f"link set dev {host.name}2 master lan0 up")
    wire.ports[f"{host.name}2"] = host
    host.ip("link set eth1 up", f"address add 198.51.100.{host.number}/24 dev eth1")
reaches("new interface", "198.51.100.2", "198.51.100.1", mark)

# --- the default route changes ------------------------------------------------------------------
b.ip("link add dummy0 type bridge", "link set dummy0 up", "address add 203.0.113.2/32 dev dummy0")
mark = wire.now()
a.ip(f"route replace default via {b.v4} dev eth0")
reaches("default route over eth0", "203.0.113.2", a.v4, mark)
mark = wire.now()
a.ip("route replace default via 198.51.100.2 dev eth1")
reaches("default route over eth1", "203.0.113.2", "198.51.100.1", mark)
mark = wire.now()
a.ip("route replace 192.0.2.2/32 dev eth0 src 192.0.2.9")
reaches("a route with another source", b.v4, "192.0.2.9", mark)

# --- a host's failure is forgotten when a route changes (N6) -----------------------------------------
wire.silence_ike(c)
ok(wait_for(lambda: a.ping(c, limit=1), LIMIT), "a silent host of private-or-clear is reached in the clear")
is_(a.peer(c)["state"], "clear", "which is remembered")
wire.lose_nothing()
c.oe(policies={"private-or-clear": "192.0.2.0/28"}, extra="retransmit-timeout=2s")
a.ip("route add 198.18.0.0/15 via 192.0.2.2")
ok(wait_for(lambda: a.peer(c)["state"] != "clear", 3), "and forgotten after a change of routes")
mark = wire.now()
is_(a.ping(c, limit=5), 1, "it answers")
is_((a.peer(c)["state"], len(wire.clear(a, c, since=mark))), ("tunnelled", 0), "in a tunnel")

# --- addresses and interfaces go, and come back -----------------------------------------------------
mark = wire.now()
a.ip("route delete 192.0.2.2/32", f"address delete {a.v4}/24 dev eth0")
reaches("the first address gone", b.v4, "192.0.2.9", mark)
is_(tunnels_of(a.v4), 0, "no tunnel of it is left")
mark = wire.now()
a.ip("address delete 192.0.2.9/24 dev eth0", f"address add {a.v4}/24 dev eth0")
reaches("another in its place", b.v4, a.v4, mark)
mark = wire.now()
a.ip("link set eth0 down", "link set eth0 up", f"address replace {a.v6}/64 dev eth0 nodad")
reaches("the interface down and up", b.v4, a.v4, mark)
reaches("the interface down and up", b.v6, a.v6, mark)
mark = wire.now()
a.ip("link delete eth1")
reaches("the second interface gone", b.v4, a.v4, mark)
is_(tunnels_of("198.51.100.1"), 0, "no tunnel of its address is left")
is_(a.ping("198.51.100.2", limit=0.5), 0, "and its net is out of reach")
closed("the second interface gone", mark)
is_(wire.capture.lost(), 0, "the capture lost nothing")
