#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names in group files: an answer puts its address into the group of its name (P3, P4)."""
from lab import *

LINES = {"private": "*.corp.example\n",
         "private-or-clear": "may.example\nall.example\n",
         "block": "*.ads.example\n",
         "clear": "192.0.2.128/25\n"}

wire = Wire()
a, b, c, d, e = (wire.host(name) for name in "abcde")
dns = wire.dns_host({"b.corp.example": b.v4, "c.corp.example": c.v4, "may.example": d.v4,
                     "plain.example": e.v4, "x.ads.example": e.v4, "conflict.corp.example": "192.0.2.200",
                     "alias.example": "CNAME b.corp.example.", "all.example": "192.0.2.255"})
daemon = a.oe(policies=LINES, forward=dns)
for host in (b, d):
    host.oe(policies={"private": "", "clear-or-private": "192.0.2.0/28"}, forward=dns)
for host in (b, c, d, e):
    host.serve(7)

is_(a.ping(c), 1, "an address that no name has led to is open")
is_(a.dns("plain.example").addresses, [e.v4], "a name in no group is answered")

answer = a.dns("b.corp.example")
is_(answer.addresses, [b.v4], f"a private name with a peer: {answer}")
is_(a.peer(b)["state"], "tunnelled", "comes with its tunnel")
ok(a.tcp_connect(b) is not None, "TCP works")
is_(len(wire.clear(a, b)), 0, "nothing in the clear")

answer = a.dns("c.corp.example")
is_(answer.addresses, [], f"a private name without a peer is withheld: {answer}")
before = len(wire.clear(a, c))
is_(a.ping(c), 0, "and its address, open before, is closed now")
is_(len(wire.clear(a, c)), before, "nothing more in the clear")

answer = a.dns("may.example")
is_((answer.addresses, a.peer(d)["state"]), ([d.v4], "tunnelled"), f"a private-or-clear name: {answer}")

answer = a.dns("x.ads.example")
is_((answer.rcode, answer.addresses), ("NOERROR", []), f"a blocked name has no address: {answer}")
is_(a.ping(e), 1, "but nobody can block an address by a name")

answer = a.dns("conflict.corp.example")
is_(answer.addresses, [], f"private by name and clear by prefix: withheld: {answer}")
ok("private:1" in str(answer.ede) and "clear:1" in str(answer.ede), f"both lines are named: {answer.ede}")

initiated = a.oectl("status")["ike"]["initiated"]
answer = a.dns("all.example")
is_((answer.addresses, a.oectl("status")["ike"]["initiated"]), (["192.0.2.255"], initiated),
    f"with all hosts of our network nothing is negotiated (G6): {answer}")

daemon.kill()
is_(a.ping(c), 0, "killed: what is private by name stays closed")
a.oe_start()
is_(a.ping(c), 0, "and after the restart it is closed still")
is_(len(wire.clear(a, c)), before, "with nothing in the clear")
is_(len(wire.clear(a, b)), 0, "nor to the other")
is_(wire.capture.lost(), 0, "the capture lost nothing")
