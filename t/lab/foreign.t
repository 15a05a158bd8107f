#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other people's XFRM entries survive our start, stop and kill -9; ours are taken over or removed (K2, K5)."""
import re

from lab import *

FOREIGN = """xfrm policy add src 198.51.100.0/24 dst 203.0.113.0/24 dir out priority 4000 tmpl src 198.51.100.1 dst 203.0.113.1 proto esp reqid 7 mode tunnel
xfrm policy add src 203.0.113.0/24 dst 198.51.100.0/24 dir in priority 4000 tmpl src 203.0.113.1 dst 198.51.100.1 proto esp reqid 7 mode tunnel
xfrm policy add src 198.51.100.9/32 dst 203.0.113.9/32 dir out action block priority 9
xfrm policy add src 192.0.2.1/32 dst 192.0.2.99/32 dir out priority 1 action allow
xfrm state add src 198.51.100.1 dst 203.0.113.1 proto esp spi 0x1234 reqid 7 mode tunnel aead rfc4106(gcm(aes)) 0x1111111111111111111111111111111111111111 128
xfrm state add src 203.0.113.1 dst 198.51.100.1 proto esp spi 0x4321 reqid 7 mode tunnel aead rfc4106(gcm(aes)) 0x1111111111111111111111111111111111111111 128"""

wire = Wire()
a, b = wire.host("a"), wire.host("b")
dns = wire.dns_host({"b.example": b.v4})
b.serve(7)
before = a.xfrm_policies(), a.xfrm_states()
a.ip(*FOREIGN.splitlines())


def foreign_ok():
    """All four policies and both states are there, unchanged."""
    policies, states = a.xfrm_policies(), a.run("ip", "xfrm", "state").stdout
    wanted = ["src 198.51.100.0/24 dst 203.0.113.0/24", "src 203.0.113.0/24 dst 198.51.100.0/24",
              "src 198.51.100.9/32 dst 203.0.113.9/32", "src 192.0.2.1/32 dst 192.0.2.99/32"]
    return all(w in policies for w in wanted) and "0x00001234" in states and "0x00004321" in states


ok(foreign_ok(), "foreign entries are there")
b.oe(policies={"private-or-clear": "192.0.2.0/28"}, forward=dns)
policies = {"private-or-clear": "192.0.2.0/29", "private": "192.0.2.8/29", "block": "192.0.2.16/32"}
daemon = a.oe(policies=policies, forward=dns)
ok(foreign_ok(), "after our start")
is_(a.dns("b.example").addresses, [b.v4], "we work beside them")
is_(a.ping(b), 1, "with traffic in our tunnel")
ok(foreign_ok(), "with a tunnel of ours")
daemon.kill()
ok(foreign_ok(), "after kill -9")
mark = wire.now()
a.ping(b, limit=0.5)
a.ping("192.0.2.9", limit=0.5)
is_(len(wire.clear(a, b, since=mark)), 0, "a dead daemon leaks nothing by itself")

daemon = a.oe_start()
ok(foreign_ok(), "after our next start")
is_(a.dns("b.example").addresses, [b.v4], "which works again")
is_(a.ping(b, limit=5), 1, "with traffic")
is_(daemon.stop(), 0, "an orderly stop")
ok(foreign_ok(), "after our stop")
states = a.run("ip", "xfrm", "state").stdout
# (A larval state of the kernel, reqid 0, may stand for the private line's trap.)
is_(set(re.findall(r"reqid (\d+)", states)) - {"0"}, {"7"}, "no state of ours is left")
policies = a.xfrm_policies()
ok("192.0.2.8/29" in policies and "192.0.2.16/32" in policies, "private and block stay closed (K5)")
mark = wire.now()
a.ping("192.0.2.9", limit=0.5)
is_(len(wire.clear(a, "192.0.2.9", since=mark)), 0, "and leak nothing")
is_(a.oe_run("--release").returncode, 0, "oe-resolverd --release")
# b still holds the tunnel that a's kill -9 left behind, until its check of a dead peer ends (N7).
ok(wait_for(lambda: a.ping(b, limit=0.5), 15), "private-or-clear is open after a release")
ok("192.0.2.8/29" in a.xfrm_policies(), "private is not")
is_(a.oe_run("--flush").returncode, 0, "oe-resolverd --flush")
ok("192.0.2.8/29" not in a.xfrm_policies() and foreign_ok(), "opens all of ours, and nothing else")
is_(a.oe_run("--closed").returncode, 0, "oe-resolverd --closed")
ok("192.0.2.8/29" in a.xfrm_policies() and "192.0.2.16/32" in a.xfrm_policies() and foreign_ok(),
   "installs private and block only")
