#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""With everything in `private`, a host gets its addresses: DHCPv6 and DHCP, and a router's advertisement (K3); all else is closed."""
import os
import select
import socket
import struct

from lab import *

ALL = {"private": ["0.0.0.0/0", "::/0"]}
SERVERS, PREFIX = "ff02::1:2", "2001:db8:5::"
SOLICIT, ADVERTISE, REQUEST, RENEW, REPLY, INFORMATION = 1, 2, 3, 5, 7, 11
CLIENT_ID, SERVER_ID, IA_NA, IAADDR, PREFERENCE = 1, 2, 3, 5, 7

wire = Wire()
a = wire.host("a", v6=False)                # has nothing but a link-local address in IPv6
server, b = wire.host("server"), wire.host("b")  # the server has no IPsec at all; b is a peer
for host in (a, b):
    host.oe(policies=ALL, extra="retransmit-timeout=1s")
for host in (server, b):
    host.serve()


def option(code, data):
    return struct.pack("!HH", code, len(data)) + data


def options(data):
    found = {}
    while len(data) >= 4:
        code, length = struct.unpack_from("!HH", data)
        found[code], data = data[4:4 + length], data[4 + length:]
    return found


def ia(address=None):
    """An IA_NA with nothing or one address in it."""
    inner = option(IAADDR, socket.inet_pton(socket.AF_INET6, address) + struct.pack("!II", 3600, 7200)) if address else b""
    return option(IA_NA, struct.pack("!III", 1, 0, 0) + inner)


# --- a DHCPv6 server and a client (RFC 8415), no more of them than what is on the wire ---------------------------
class Server:
    """Answers what comes to ff02::1:2 and to its own addresses, where it came from."""

    def __init__(self, host, leases):
        self._leases = leases
        self.sock = host.call(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.bind(("::", 547))
        host.spawn(self._run)

    def _run(self):
        with self.sock as sock:
            group = socket.inet_pton(socket.AF_INET6, SERVERS) + struct.pack("@I", socket.if_nametoindex("eth0"))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            while True:
                data, sender = sock.recvfrom(2048)
                kind, asked = data[0], options(data[4:])
                body = option(CLIENT_ID, asked[CLIENT_ID]) + option(SERVER_ID, b"\0\3\0\1server")
                body += option(PREFERENCE, b"\xff") + (ia(self._leases) if IA_NA in asked else b"")
                sock.sendto(bytes([ADVERTISE if kind == SOLICIT else REPLY]) + data[1:4] + body, sender)


def ask(kind, body, to, source="::", limit=5.0):
    """One exchange from port 546, sent again each second: (the answer's kind, its options), or None."""
    index = socket.if_nametoindex("eth0")
    xid = os.urandom(3)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((source, 546, 0, index if source.startswith("fe80") else 0))
        end = time.monotonic() + limit
        while time.monotonic() < end:
            sock.sendto(bytes([kind]) + xid + option(CLIENT_ID, b"\0\3\0\1client") + body, (to, 547, 0, index if to[0] == "f" else 0))
            if select.select([sock], [], [], 1.0)[0]:
                data = sock.recv(2048)
                if data[1:4] == xid:
                    return data[0], options(data[4:])
    return None


def lease_of(answer):
    """The address in an answer's IA_NA."""
    return answer and socket.inet_ntop(socket.AF_INET6, options(answer[1][IA_NA][12:])[IAADDR][:16])


def link_local(host):
    return host.run("ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "link").stdout.split()[3].split("/")[0]


def udp_between(ports, since):
    return [p for p in wire.capture.packets if p.kind == "udp" and p.time >= since and {p.sport, p.dport} == ports]


leases = Server(server, LEASE := f"{PREFIX}77")
server.ip(f"address add {PREFIX}1/64 dev eth0 nodad")
ours = link_local(a)
mark = wire.now()
answer = a.call(ask, SOLICIT, ia(), SERVERS)
is_((answer and answer[0], lease_of(answer)), (ADVERTISE, LEASE), "DHCPv6: a solicit to ff02::1:2 is answered with an advertise")
answer = a.call(ask, REQUEST, option(SERVER_ID, answer[1][SERVER_ID]) + ia(LEASE), SERVERS)
is_((answer and answer[0], lease_of(answer)), (REPLY, LEASE), "DHCPv6: a request with a reply")
is_({p.src for p in udp_between({546, 547}, mark)}, {ours, link_local(server)}, "DHCPv6: between addresses of the link")
a.ip(f"address add {LEASE}/64 dev eth0 nodad")
answer = a.call(ask, INFORMATION, b"", SERVERS, ours)
is_(answer and answer[0], REPLY, "DHCPv6: an information-request")
ok(wait_for(lambda: LEASE in a.xfrm_policies(), 5), "the address that it got is closed, as every other")
answer = a.call(ask, RENEW, option(SERVER_ID, answer[1][SERVER_ID]) + ia(LEASE), f"{PREFIX}1", LEASE)
is_((answer and answer[0], lease_of(answer)), (REPLY, LEASE), "DHCPv6: a renewal between global addresses, where a server wants it")

# --- everything else is closed ------------------------------------------------------------------------------------
mark = wire.now()
is_([a.ping(f"{PREFIX}1", limit=0.5), a.udp_send(f"{PREFIX}1", 547, b"x", 9), a.udp_send(f"{PREFIX}1", 9, b"x", 546)][0], 0,
    "closed: the server's other services")
is_(a.tcp_connect(f"{PREFIX}1", limit=1.5), None, "closed: and TCP")
is_(len(wire.clear(LEASE, f"{PREFIX}1", since=mark)), 0, "closed: nothing of it leaves, not even with one of the ports")
wire.show(wire.clear(LEASE, f"{PREFIX}1", since=mark))
before = a.xfrm_stat().get("XfrmInPolBlock", 0)
leases.sock.sendto(b"x", (LEASE, 9))
server.udp_send(LEASE, 546, b"x", 9)
is_(server.ping(LEASE, limit=0.5), 0, "closed: the server cannot ping us")
ok(a.xfrm_stat().get("XfrmInPolBlock", 0) >= before + 3, "closed: what comes from one of the ports only is dropped, too")

# --- a router's advertisement: an address and a route, and a tunnel from there ----------------------------------------
def advertise():
    """RFC 4861 4.2, from the link-local address to all nodes, with one prefix for autoconfiguration."""
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 7200, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:6::")
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))


def autoconfigured():
    found = [w.split("/")[0] for w in a.run("ip", "-6", "-o", "address", "show", "dev", "eth0").stdout.split() if w.startswith("2001:db8:6:")]
    return found[0] if found else None


def solicit():
    """RFC 4861 4.1, as a host does when its link comes up."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.sendto(struct.pack("!BBHI", 133, 0, 0, 0), ("ff02::2", 0, 0, socket.if_nametoindex("eth0")))


mark = wire.now()
a.call(solicit)
ok(wait_for(lambda: [p for p in wire.seen("ff02::2", since=mark) if p.detail == "type 133"], 3), "a router is asked for")
server.call(advertise)
new = wait_for(autoconfigured, 5)
ok(new, f"and its advertisement gives an address: {new}")
ok("default via fe80::" in a.run("ip", "-6", "route").stdout, "and a default route")
b.ip("address add 2001:db8:6::b/64 dev eth0 nodad")
ok(wait_for(lambda: a.ping("2001:db8:6::b", limit=1), 15), "a peer on that prefix answers")
ok(new and wire.esp(new, "2001:db8:6::b", since=mark), "in a tunnel from the new address")
is_(len(wire.clear([new or "::", LEASE], ["2001:db8:6::b", b.v6])), 0, "nothing in the clear")

# --- DHCP's renewal, from a plain socket (the rest goes through a packet socket, which no policy sees) --------------------
def socket4(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(3)
    return sock


def lease4(sock):
    data, sender = sock.recvfrom(2048)
    sock.sendto(b"\2" + data[1:], sender)


def renew4(to):
    with socket4(a.v4, 68) as sock:
        sock.sendto(b"\1\1\6\0renewal", (to, 67))
        return sock.recv(2048)[:4]


task = server.spawn(lease4, server.call(socket4, "", 67))
is_(a.call(renew4, server.v4), b"\2\1\6\0", "DHCP: a lease is renewed")
task.result()
is_(a.ping(server.v4, limit=0.5), 0, "and the server is closed to all else")
is_(wire.capture.lost(), 0, "the capture lost nothing")
