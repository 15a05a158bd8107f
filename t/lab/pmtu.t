#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""With everything in `private`: path MTU discovery, large packets, neighbours and multicast still work (K3)."""
import socket
import struct

from lab import *

ALL = {"private": ["0.0.0.0/0", "::/0"]}
NARROW = 1350


class Far:
    """The link behind the router."""
    v4, v6 = "198.51.100.{}/24", "2001:db8:1::{:x}/64"


def far_host(name, number):
    host = Host(Far, name, number, v4=Far.v4.format(number), v6=Far.v6.format(number))
    wire.ports[name] = host
    wire.hosts.append(host)
    wire.place.ip(f"link add dev {name} type veth peer name eth0 netns {name}",
                  f"link set dev {name} master lan1 up")
    host.bring_up()
    return host


def tcp_echo(host, to, size, limit=20.0):
    """Sends size bytes and reads them back: how many came."""
    def run():
        got = 0
        with socket.create_connection((to, 7), limit) as sock:
            sock.settimeout(limit)
            while got < size:
                sock.sendall(bytes(20000))
                for _ in range(1000):
                    part = sock.recv(20000)
                    got += len(part)
                    if not part or got % 20000 == 0:
                        break
        return got
    try:
        return host.call(run)
    except OSError as error:
        return str(error)


def udp_echo(host, to, size, limit=10.0):
    """One large datagram, sent until it is answered: the first ones only find the path's MTU."""
    def run():
        with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.3)
            end = time.monotonic() + limit
            while time.monotonic() < end:
                try:
                    sock.sendto(bytes(size), (to, 7))
                    return len(sock.recv(65536))
                except OSError:
                    pass
        return 0
    return host.call(run)


def forward_ipv6():
    with open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii") as file:
        file.write("1")


wire = Wire()
a, c, router = wire.host("a"), wire.host("c"), wire.host("router", 60)
wire.place.ip("link add name lan1 type bridge stp_state 0 mcast_snooping 0", "link set lan1 up",
              "link add dev router2 type veth peer name eth1 netns router", "link set dev router2 master lan1 up")
# Both links carry 1500; what lies between the router's two ports does not.
router.ip("link set eth1 up", "address add 198.51.100.254/24 dev eth1", "address add 2001:db8:1::fe/64 dev eth1 nodad",
          *(f"route replace {net} dev {dev} proto kernel {more} mtu lock {NARROW}" for dev, net, more in
            (("eth0", "192.0.2.0/24", ""), ("eth1", "198.51.100.0/24", ""),
             ("eth0", "2001:db8::/64", "metric 256"), ("eth1", "2001:db8:1::/64", "metric 256"))))
router.sysctl(net_ipv4_ip_forward=1)
router.call(forward_ipv6)
a.ip(f"route replace default via {router.v4}", f"route replace default via {router.v6} dev eth0")
b = far_host("b", 2)
for host in (a, b, c):
    host.oe(policies=ALL)
    host.serve()

for family, to, source in (("IPv4", b.v4, a.v4), ("IPv6", b.v6, a.v6)):
    mark = wire.now()
    is_(a.ping(to, limit=5), 1, f"{family}: a host behind a router answers")
    is_(tcp_echo(a, to, 200000), 200000, f"{family}: TCP carries 200 kB there and back")
    is_(udp_echo(a, to, 4000), 4000, f"{family}: a datagram of 4000 bytes, there and back")
    errors = [p for p in wire.seen(source, kind="icmp-error", since=mark) if "about esp" in p.detail]
    ok(errors, f"{family}: the router said that ESP was too large ({len(errors)} times)")
    ok(all(len(p.data) <= NARROW + 14 for p in wire.esp(to, since=mark, one_way=True) if p.port == "router"),
       f"{family}: nothing larger came through")
    is_(len(wire.clear(source, to, since=mark)), 0, f"{family}: nothing in the clear")

# --- neighbours -------------------------------------------------------------------------------------
def accept_dad():
    with open("/proc/sys/net/ipv6/conf/eth0/accept_dad", "w", encoding="ascii") as file:
        file.write("1")


def address_shows(word):
    return word in a.run("ip", "-6", "address", "show", "dev", "eth0").stdout


is_(a.ping(c.v6, limit=5), 1, "IPv6: a neighbour answers")
answered = 0
for _ in range(5):
    a.run("ip", "-6", "neigh", "flush", "all")
    answered += a.ping(c.v6, limit=1)
is_(answered, 5, "and is found again each time that it was forgotten")
a.call(accept_dad)
a.ip("address add 2001:db8::77/64 dev eth0")
ok(wait_for(lambda: not address_shows("tentative"), 5), "duplicate address detection ends")
a.ip(f"address add {c.v6}/64 dev eth0")
ok(wait_for(lambda: address_shows("dadfailed"), 5), "and finds that another's address is taken")
a.ping(c.v6, limit=1)
a.ip(f"address delete {c.v6}/64 dev eth0")
ok(wait_for(lambda: a.ping(c.v6, limit=1), 10), "traffic goes on")
is_(len(wire.clear([a.v6, "2001:db8::77"], c.v6)), 0, "nothing in the clear but the search for neighbours")

# --- multicast ----------------------------------------------------------------------------------------
def multicast(group):
    """Joins the group, sends to it, and stays long enough to be reported."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    index = socket.if_nametoindex("eth0")
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        if family == socket.AF_INET6:
            request = socket.inet_pton(family, group) + struct.pack("@I", index)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            request = socket.inet_pton(family, group) + struct.pack("@4sI", bytes(4), index)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        sock.sendto(b"to all", (group, 5353))
        time.sleep(0.3)


for group in ("224.0.0.251", "ff02::fb", "239.1.2.3"):
    mark = wire.now()
    a.call(multicast, group)
    ok(wait_for(lambda: [p for p in wire.seen(group, since=mark) if p.kind == "udp"], 3),
       f"multicast to {group} leaves as it is")
ok([p for p in wire.seen("ff02::16") if p.detail == "type 143"], "and the groups that we joined are reported (MLD)")
ok([p for p in wire.seen("224.0.0.22")], "(IGMP)")
is_([p["remote"] for p in a.oectl("peers") if p["remote"].startswith(("22", "23", "ff"))], [],
    "nobody negotiated with a group")
is_(wire.capture.lost(), 0, "the capture lost nothing")
