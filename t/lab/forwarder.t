#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The DNS forwarder is itself in a group (A13); and glibc with a dead IPv6 peer and a live IPv4 one."""
import os

from lab import *

GROUP = {"private-or-clear": "192.0.2.0/24\n2001:db8::/64"}

wire = Wire()
a, b, plain, both = (wire.host(name) for name in ("a", "b", "plain", "both"))
zone = {"b.example": b.v4, "plain.example": plain.v4, "both.example": [both.v4, "2001:db8::dead"]}
dns = wire.dns_host(zone)                                 # runs oe-resolverd too
dns2 = wire.dns_host(zone, name="dns2", number=54)        # does not
for host in (a, b, both, dns):
    host.serve(7)
dns.oe(policies=GROUP, forward="127.0.0.1", dns_listen="127.0.0.53")
both.oe(policies=GROUP, forward=dns)

# A forwarder with a tunnel of its own
a.oe(policies=GROUP, forward=dns)
b.oe(policies=GROUP, forward=dns)
answer = a.dns("b.example")
is_(answer.addresses, [b.v4], f"a name through a tunnelled forwarder: {answer}")
is_(a.peer(dns)["state"], "tunnelled", "the forwarder's own tunnel stands")
is_(len(wire.clear(a, dns)), 0, "no question of ours went in the clear")
is_(a.ping(b), 1, "and the name's address is reachable")
is_(len(wire.clear(a, b)), 0, "in the tunnel")

# One without
c = wire.host("c")
c.oe(policies=GROUP, forward=dns2)
c_answer = c.dns("b.example")
is_(c_answer.addresses, [b.v4], f"a name through a forwarder without IKE, private-or-clear: {c_answer}")

# Happy Eyeballs by glibc: AAAA is dead, A is alive
found = a.getaddrinfo("both.example")
ok(isinstance(found, list) and both.v4 in found, f"getaddrinfo: {found}")
connected = a.connect_by_name("both.example")
ok(connected and connected[0] == both.v4, f"an application connects to the live address: {connected}")
is_(len(wire.clear(a, both)), 0, "in the tunnel")

# None at boot, then others, without a reload (A11): the name says who was asked
FILE = "/run/NetworkManager/no-stub-resolv.conf"
dns3 = wire.dns_host({"b.example": plain.v4}, name="dns3", number=55)
d = wire.host("d")


def asked(server):
    """Waits until the lookup has the answer of that server; the last answer."""
    answers = []
    wanted = [plain.v4 if server is dns3 else b.v4]
    wait_for(lambda: answers.append(d.dns("b.example")) or answers[-1].addresses == wanted, 10, 0.2)
    return answers[-1].addresses == wanted, answers[-1]


def replace(path, server):
    d.write(path + ".new", f"nameserver {server}\n")
    d.call(os.rename, path + ".new", path)


daemon = d.oe(policies=GROUP)
is_(d.dns("b.example").rcode, "SERVFAIL", "no nameserver yet: no answer")
is_(len(daemon.wait_log(r"warning: forwarders: none")), 1, "and the log says why")
d.write(FILE, f"nameserver {dns2}\n")
good, d_answer = asked(dns2)
ok(good, f"a folder and a file with one appear: {d_answer}")
replace(FILE, dns3)
ok(daemon.wait_log(rf"info: forwarders: {dns3}:53"), "another file in its place: the log names who is asked")
good, d_answer = asked(dns3)
ok(good, f"and it is asked: {d_answer}")
replace("/run/systemd/resolve/resolv.conf", dns2)
d.ip("route add 198.51.100.0/24 dev eth0")
good, d_answer = asked(dns2)
ok(good, f"a folder that comes later counts when a route changes: {d_answer}")
replace("/run/systemd/resolve/resolv.conf", dns)
ok(wait_for(lambda: (d.peer(dns) or {}).get("state") == "tunnelled", 10), "one in a group gets its tunnel at once")
d.call(os.unlink, "/run/systemd/resolve/resolv.conf")
good, d_answer = asked(dns3)
ok(good, f"its file is deleted: the next one counts: {d_answer}")
is_(len(daemon.wait_log(r"warning: forwarders: none")), 1, "there was none but at the start")
is_(daemon.wait_log("reloading", limit=0.1), [], "nobody has reloaded")
daemon.stop()

# No route at start: the forwarder's tunnel comes with the route (A13)
d.ip("link set eth0 down")
d.oe(policies=GROUP, forward=dns)
is_(d.peer(dns), None, "without a route there is nothing to negotiate")
d.ip("link set eth0 up")
ok(wait_for(lambda: (d.peer(dns) or {}).get("state") == "tunnelled", 15),
   "a route: the forwarder's tunnel, without a lookup")
is_(wire.capture.lost(), 0, "the capture lost nothing")
