#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty dead hosts behind one line do not hold up the one that lives (K10).

All are called at once, by address. A packet queue of the kernel leaves as a whole, when its
oldest packet may: the live host's SYN must leave nevertheless, and the first of them. (One
that is stuck in a queue is not sent again: TCP sees that its own is still there.)"""
import ipaddress
import re
import select
import socket

from lab import *
from lab.peers import group_conn

DEAD, LIMIT = 50, 15
NOBODY = "02:00:00:00:00:99"


class Case:
    """A net of its own for a and b; `live` is b there, `dead` are addresses of nobody."""

    def __init__(self, title, group, line, net, length):
        self.title, self.group, self.line, self.net, self.length = title, group, line, net, length
        self.caller, self.live, self.other = (self.address(n) for n in (1, 2, 3))
        self.dead = [self.address(n) for n in range(10, 10 + DEAD)]

    def address(self, number):
        return self.net.format(f"{number:x}" if ":" in self.net else number)

    def hosts(self):
        return [self.address(n) for n in range(2, 8)] + self.dead


CASES = [
    Case("private, a small line", "private", "198.51.100.0/26", "198.51.100.{}", 24),
    Case("private, a wide line", "private", "198.18.0.0/16", "198.18.7.{}", 16),
    Case("private, a small line, IPv6", "private", "2001:db8:1::/122", "2001:db8:1::{}", 64),
    Case("private, a wide line, IPv6", "private", "2001:db8:2::/64", "2001:db8:2::{}", 64),
    Case("private-or-clear, a small line", "private-or-clear", "203.0.113.0/26", "203.0.113.{}", 24),
    Case("private-or-clear, a wide line", "private-or-clear", "198.19.0.0/16", "198.19.7.{}", 16),
    Case("private-or-clear, a wide line, IPv6", "private-or-clear", "2001:db8:3::/64", "2001:db8:3::{}", 64),
]

wire = Wire()
a, b, c = (wire.host(name) for name in "abc")
dns = wire.dns_host({"b.example": CASES[1].address(7)})
for case in CASES:
    nodad = " nodad" if ":" in case.net else ""
    a.ip(f"address add {case.caller}/{case.length} dev eth0{nodad}",
         *(f"neigh add {address} lladdr {NOBODY} dev eth0 nud permanent" for address in case.dead))
    for owner, numbers in ((b, (2, 4, 6, 7)), (c, (3, 5))):
        owner.ip(*(f"address add {case.address(n)}/{case.length} dev eth0{nodad}" for n in numbers))
for host in (b, c):
    host.oe(policies={"clear-or-private": ["0.0.0.0/0", "::/0"]}, forward=dns)
    host.serve(7)
daemon = a.oe(
    policies={group: [case.line for case in CASES if case.group == group] for group in ("private", "private-or-clear")},
    setup="dns-hold=4s", forward=dns, conns=group_conn("private", extra="retransmit-timeout=100s")
    + group_conn("private-or-clear", extra="retransmit-timeout=30s"))
sockets = []


def begin_connect(address):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setblocking(False)
    sock.connect_ex((address, 7))
    sockets.append(sock)  # for as long as the test lasts, as a patient caller would
    return sock


def await_connect(sock, started, limit):
    """(milliseconds of the connect, SYNs that were sent again), or None."""
    select.select([], [sock], [], max(0, started + limit - time.monotonic()))
    taken = (time.monotonic() - started) * 1000
    try:
        sock.getpeername()
    except OSError:
        return None
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    again = int.from_bytes(info[100:104], "little")  # tcpi_total_retrans
    sock.settimeout(5)
    try:
        sock.sendall(b"hello")
        return (taken, again) if sock.recv(5) == b"hello" else None
    except OSError:
        return None


def burst(dead, live, limit=LIMIT):
    """Calls the dead, then the living, and waits for these."""
    for address in dead:
        begin_connect(address)
    begun = [(time.monotonic(), begin_connect(address)) for address in live]
    return [await_connect(sock, started, limit) for started, sock in begun]


def states(addresses):
    return {p["state"] for p in a.oectl("peers") if p["remote"].split("/")[0] in addresses}


def negotiation_ms(case, address):
    ike = [p for p in wire.ike([case.caller], [address]) if p.exchange in ("IKE_SA_INIT", "IKE_AUTH")]
    return (ike[-1].time - ike[0].time) * 1000 if ike else -1.0


def hosts_with_policy(line):
    """The hosts of a line that have an outbound policy of their own."""
    found = re.findall(r"dst (\S+) \n\tdir out", a.xfrm_policies())
    hosts = (ipaddress.ip_network(net) for net in found)
    line = ipaddress.ip_network(line)
    return {str(net[0]) for net in hosts
            if net.num_addresses == 1 and net.version == line.version and net.subnet_of(line)}


def is_held(address):
    return re.search(rf"dst {re.escape(address)}/32 \n\tdir out.*\n\ttmpl src 0.0.0.0 dst 0.0.0.0\n", a.xfrm_policies())


def sunk():
    return a.xfrm_stat().get("XfrmOutStateSeqError", 0)


for case in CASES:
    before, wide = sunk(), "wide" in case.title
    (first,) = a.call(burst, case.dead, [case.live])
    note(f"{case.title}: {first and first[0] or -1:.1f} ms; the negotiation {negotiation_ms(case, case.live):.1f} ms")
    ok(first, f"{case.title}: the live host is reached beside fifty dead ones")
    is_(first and first[1], 0, f"{case.title}: by its first SYN")
    (second,) = a.call(burst, [case.address(62)], [case.other])
    ok(second and second[1] == 0, f"{case.title}: another live host too, called after one more dead")
    is_(states(case.dead), {"negotiating"}, f"{case.title}: while they are all negotiated with")
    is_(sunk() > before, wide, f"{case.title}: {'with' if wide else 'without'} a sink")
    is_(len(wire.clear([case.caller], case.hosts())), 0, f"{case.title}: nothing was in the clear")
    is_(len(wire.esp([case.caller], case.dead)), 0, f"{case.title}: nothing left towards the dead")
    is_(len(wire.negotiations([case.caller], case.hosts())), DEAD + 2, f"{case.title}: one negotiation each")
ok(wait_for(lambda: "oseq 0xffffffff" not in a.xfrm_states(), 5), "no sink stays in the kernel")

# Several that live at once: in a small line they do not notice each other. In a wide one the first
# that may leave does so with its first SYN, and the kernel drops what others have there: these call again.
for case in CASES[:2]:
    pair = a.call(burst, [], [case.address(4), case.address(5), case.address(6)])
    note(f"{case.title}: three at once: {pair}")
    again = [each[1] if each else -1 for each in pair]
    ok(min(again) == 0 and max(again) <= (1 if "wide" in case.title else 0),
       f"{case.title}: three that live are reached")

# A host in an answer has its own hold before the answer leaves; older packets of others do not matter.
wide, named = CASES[1], CASES[1].address(7)
wire.silence_ike(b)
lookup = a.dns_start("b.example")
ok(wait_for(lambda: is_held(named), 3) and not lookup.done, "a lookup's address is held before its answer")
wire.lose_nothing()
is_(lookup.result().addresses, [named], "the answer comes when its tunnel stands")
(reached,) = a.call(burst, [wide.address(200)], [named])
ok(reached and reached[1] == 0, "the host is reached by the first SYN, beside another dead one")

# What fails open does so for each host, with what waited in its own hold.
for case in CASES:
    if case.group == "private-or-clear":
        def called(case=case):
            return {p.dst for p in wire.clear([case.caller], case.dead)} == set(case.dead)
        ok(wait_for(called, 40, 0.5), f"{case.title}: the dead are called in the clear after failureshunt")
        is_(len(wire.clear([case.caller], [case.live, case.other])), 0, f"{case.title}: the living are not")

# A crash, and what takes its place (K2, K5, K6).
small, loose = CASES[0], CASES[4]
everyone = {str(host) for host in ipaddress.ip_network(small.line)}
is_(hosts_with_policy(small.line), everyone, "every host of a small line has a policy of its own")
daemon.kill()
is_(hosts_with_policy(small.line), everyone, "a crash leaves them")
a.oe_start()
is_(hosts_with_policy(small.line), everyone, "the next start takes them over")
(again,) = a.call(burst, [], [small.live])
ok(again and again[1] == 0, "and a host of them is reached by the first SYN")
a.oe_daemon.kill()
is_(a.oe_run("--release").returncode, 0, "a crash, and --release")
is_(hosts_with_policy(loose.line), set(), "private-or-clear is open")
is_(a.call(burst, [], [small.live], 2), [None], "private is closed, to the living too")
for case in CASES:
    if case.group == "private":
        is_(len(wire.clear([case.caller], case.hosts())), 0, f"{case.title}: nothing was in the clear, to the end")
is_((a.oe_run("--flush").returncode, hosts_with_policy(small.line)), (0, set()), "--flush opens all")
is_((a.oe_run("--closed").returncode, hosts_with_policy(small.line), hosts_with_policy(loose.line)),
    (0, everyone, set()), "--closed closes each host of private")
is_(wire.capture.lost(), 0, "the capture lost nothing")
