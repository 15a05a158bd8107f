#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy routing: two interfaces with two addresses, rules and tables. Each peer's tunnel has the source that the route to it
gives, by lookup and by acquire, and follows when a rule or the default route changes (issue 5, 6)."""
from lab import *

LIMIT = 15.0
wire = Wire()
a, b, c = (wire.host(name) for name in "abc")  # b routes to the far hosts, c has no daemon
FIRST, SECOND = (a.v4, a.v6), ("198.51.100.1", "2001:db8:1::1")
# Addresses of b's that a reaches by a route.
FAR = {host: (f"203.0.113.{host}", f"2001:db8:2::{host}") for host in (2, 3, 4, 5, 6)}
dns = wire.dns_host({f"far{host}.example": list(addresses) for host, addresses in FAR.items()})
ALL = ["203.0.113.0/24", "2001:db8:2::/64"]
OURS = ["192.0.2.1/32", "198.51.100.1/32", "2001:db8::1/128", "2001:db8:1::1/128"]


def second_link(host, number):
    """An eth1 on the same wire, in a net of its own."""
    wire.place.ip(f"link add dev {host.name}2 type veth peer name eth1 netns {host.name}", f"link set dev {host.name}2 master lan0 up")
    wire.ports[f"{host.name}2"] = host
    host.ip("link set eth1 up", f"address add 198.51.100.{number}/24 dev eth1", f"address add 2001:db8:1::{number}/64 dev eth1 nodad")


def loose(host):
    """What comes in by one interface may leave by the other."""
    for name in ("all", "default", "eth0", "eth1"):
        with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w", encoding="ascii") as file:
            file.write("0")


for host, number in ((a, 1), (b, 2)):
    second_link(host, number)
    host.call(loose, host)
b.ip("link add dummy0 type dummy", "link set dummy0 up",
     *(f"address add {v4}/32 dev dummy0" for v4, _ in FAR.values()), *(f"address add {v6}/128 dev dummy0 nodad" for _, v6 in FAR.values()))
# The main table leads over eth0, table 100 over eth1.
a.ip(f"route replace default via {b.v4} dev eth0", f"route replace default via {b.v6} dev eth0",
     "route add default via 198.51.100.2 dev eth1 table 100", "route add default via 2001:db8:1::2 dev eth1 table 100")
a.oe(policies={"private": ALL, "private-or-clear": f"{c.v4}/32"}, forward=dns, extra="retransmit-timeout=2s")
b.oe(policies={"private": OURS}, extra="retransmit-timeout=2s")
b.serve()
c.serve()


def tunnels(remote):
    return sorted(p["local"] for p in a.control({"command": "peers"}) if p["remote"] == remote and p["state"] == "tunnelled")


def check(label, host, sources, lookup):
    """Both families' traffic goes from these addresses, encrypted, and each by one negotiation."""
    mark = wire.now()
    if lookup:
        for kind, to in zip(("A", "AAAA"), FAR[host]):
            answer = a.dns(f"far{host}.example", kind)
            is_(answer.addresses, [to], f"{label}: {answer}")
    for to, source in zip(FAR[host], sources):
        ok(wait_for(lambda: a.ping(to, limit=1), LIMIT), f"{label}: {to} answers")
        ok(source in tunnels(to), f"{label}: a tunnel from {source}")
        sent = {p.src for p in wire.esp([*FIRST, *SECOND], [to], since=mark, one_way=True)}
        is_(sent, {source}, f"{label}: and what is sent to {to} comes from there")
        is_(len(wire.negotiations(to, since=mark)), 1, f"{label}: by one negotiation")


def closed(label):
    packets = [p for addresses in FAR.values() for to in addresses for p in wire.clear([*FIRST, *SECOND], to)]
    is_(len(packets), 0, f"{label}: nothing in the clear")
    wire.show(packets)


def rules(what, words, *hosts):
    """The same for either family."""
    for flag, family in (("-4", 0), ("-6", 1)):
        for host in hosts:
            run = a.run("ip", flag, "rule", what, "to", FAR[host][family], *words.split())
            if run.returncode:
                bail(f"ip rule: {run.stderr}")


check("no rule, by lookup", 2, FIRST, True)
check("no rule, by acquire", 3, FIRST, False)
rules("add", "lookup 100", 4, 5)
check("a rule by destination, by lookup", 4, SECOND, True)
check("a rule by destination, by acquire", 5, SECOND, False)

# --- a rule by protocol and port: a lookup cannot know, the packet does ------------------------------------------------
rules("add", "ipproto tcp dport 7 lookup 100", 6)
mark = wire.now()
is_(a.dns("far6.example").addresses, [FAR[6][0]], "a rule by port: the lookup is answered")
ok(a.tcp_connect(FAR[6][0]), "a rule by port: TCP connects")
is_({p.src for p in wire.esp([FIRST[0], SECOND[0]], FAR[6][0], since=mark, one_way=True)}, {SECOND[0]}, "a rule by port: from there")
is_(a.ping(FAR[6][0], limit=3), 1, "a rule by port: what it is not for goes the other way")
is_(tunnels(FAR[6][0]), sorted([FIRST[0], SECOND[0]]), "a rule by port: a tunnel from either")

# --- changes: traffic that is under way follows --------------------------------------------------------------------
rules("delete", "lookup 100", 4)
check("the rule is gone", 4, FIRST, False)
a.ip("route replace default via 198.51.100.2 dev eth1", "route replace default via 2001:db8:1::2 dev eth1")
check("another default route, by lookup", 2, SECOND, True)
check("another default route, by acquire", 3, SECOND, False)
mark = wire.now()
a.ip(*(f"route replace default via {via} dev eth0 table 100" for via in (b.v4, b.v6)))
ok(wait_for(lambda: wire.esp(FIRST[0], FAR[5][0], since=mark) or a.ping(FAR[5][0], limit=1) and False, LIMIT),
   "another route in the rule's table: traffic follows")

# --- and a failure is forgotten (N6) -------------------------------------------------------------------------------------
wire.silence_ike(c)
ok(wait_for(lambda: a.ping(c, limit=1), LIMIT), "a silent host is reached in the clear")
is_(a.peer(c)["state"], "clear", "which is remembered")
rules("delete", "lookup 100", 5)
ok(wait_for(lambda: a.peer(c)["state"] != "clear", 2), "until a rule changes")
closed("all along")
is_(wire.capture.lost(), 0, "the capture lost nothing")
