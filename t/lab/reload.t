#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration with mistakes changes nothing while we run (C2); a good one is applied, tunnels stay (C4)."""
import re

from lab import *
from lab.peers import OE_DIR

MISTAKES = """config setup
	dns-hold=soon
	dns-listen=nowhere
	dns-forwrd=192.0.2.53

conn private-or-clear
	left=%defaultroute
	right=%opportunisticgroup
	type=wormhole
	dpddelay=seldom
	retransmit-timeout=3 bananas
	failureshunt=maybe
	lefft=%any
	auto=sometimes
conn
"""

MISTAKEN_LINES = {2, 3, 4, 9, 10, 11, 12, 13, 14, 15}

wire = Wire()
a, b, c = (wire.host(name) for name in "abc")
dns = wire.dns_host({"b.example": b.v4, "c.example": c.v4})
for host in (a, b, c):
    daemon = host.oe(policies={"private-or-clear": "192.0.2.0/28"}, forward=dns)
    if host is a:
        ours = daemon
is_(a.dns("b.example").addresses, [b.v4], "a tunnel is up")
good = a.read(f"{OE_DIR}/oe.conf")

a.write(f"{OE_DIR}/oe.conf", MISTAKES)
run = a.oectl_run("check", f"{OE_DIR}/oe.conf")
is_(run.returncode, 1, "oectl check fails")
text = run.stdout + run.stderr
places = {int(n) for n in re.findall(rf"^{OE_DIR}/oe.conf:(\d+): ", text, re.MULTILINE)}
is_(places, MISTAKEN_LINES, "ten mistakes, each with its file and line")
if places != MISTAKEN_LINES:
    diag(text)
is_(a.oe_run("-n").returncode, 1, "oe-resolverd -n fails too")
is_(a.oectl_run("reload").returncode, 1, "oectl reload is refused")
ours.hup()
time.sleep(0.5)
ok(ours.running, "SIGHUP does not stop us")
mark = wire.now()
is_(a.ping(b), 1, "the tunnel still carries")
is_(a.dns("c.example").addresses, [c.v4], "and a new one comes up by the old configuration")
is_(len(wire.clear(a, b, since=mark)), 0, "nothing in the clear")

a.write(f"{OE_DIR}/oe.conf", good)
a.write(f"{OE_DIR}/policies/private-or-clear", "192.0.2.0/28\n198.51.100.0/24\n")
mark = wire.now()
is_(a.oectl_run("reload").returncode, 0, "a good configuration is taken")
is_(a.ping(b, count=3), 3, "the tunnel stays")
is_((len(wire.ike(a, b, since=mark)), len(wire.clear(a, b, since=mark))), (0, 0), "without a new negotiation")
ok("198.51.100.0/24" in a.xfrm_policies(), "and the new line is in the kernel")
a.write(f"{OE_DIR}/policies/private-or-clear", f"192.0.2.0/28\n{b.v4}/32\n")
is_(a.oectl_run("reload").returncode, 0, "a narrower line takes the host over")
ok(wait_for(lambda: b.v4 not in re.findall(r"dst (\S+)\s+proto esp spi 0x(?!00000000)", a.xfrm_states()), 5),
   "the wider line's tunnel goes")
mark = wire.now()
ok(wait_for(lambda: b.ping(a, limit=0.5) and a.ping(b, limit=0.5), 10), "traffic flows both ways again")
is_(len(wire.clear(a, b, since=mark)), 0, "nothing in the clear")
is_(a.oectl_run("down", b.v4).returncode, 0, "oectl down takes a tunnel down")
mark = wire.now()
is_(a.ping(b, limit=5), 1, "the next packet brings it up again")
is_(len(wire.clear(a, b, since=mark)), 0, "nothing in the clear")
is_(a.oectl_run("flush").returncode, 0, "oectl flush opens all")
is_(a.oectl_run("frobnicate").returncode, 2, "an unknown command is wrong usage")

# --- watch=yes --------------------------------------------------------------------------------
d, e = wire.host("d", v6=False), wire.host("e", v6=False)
watcher = d.oe(policies={"private": "192.0.2.0/28", "clear": dns.v4}, forward=dns, setup="watch=yes")
e.oe(policies={"private": "192.0.2.0/24", "clear": dns.v4}, forward=dns)
is_(d.ping(e, count=2, limit=3), 2, "watch: a tunnel is up")
d.write(f"{OE_DIR}/policies/clear", f"{dns.v4}\n{c.v4}/33\n")
ok(watcher.wait_log("policies/clear:2: "), "watch: a broken group file is reported with its place")
ok(watcher.wait_log("the running configuration stays"), "watch: and changes nothing")
d.write(f"{OE_DIR}/policies/clear", f"{dns.v4}\n{c.v4}/32\n")
ok(wait_for(lambda: d.oectl("status")["lines"] == 3, 5), "watch: a mended one is loaded by itself")
is_(d.oectl("status")["degraded"], False, "watch: and all is well")
before = len(watcher.wait_log("reloading"))
d.write(f"{OE_DIR}/policies/.clear.swp", "scratch")
is_(d.ping(e, count=8, interval=0.1), 8, "watch: the tunnel stays")
is_(len(wire.negotiations(d, e)), 1, "watch: and is the same")
is_(len(watcher.wait_log("reloading")), before, "watch: an editor's scratch file is none")

# --- another authentication ---------------------------------------------------------------------
g, h = wire.host("g", v6=False), wire.host("h", v6=False)
GROUPS = {"private": "192.0.2.0/24", "clear": dns.v4}


def spis(host, peer):
    return set(re.findall(rf"src {host} dst {peer}\n\s+proto esp spi (0x(?!00000000)\w+)", host.xfrm_states()))


def reload(host, auth):
    host.oe_configure(policies=GROUPS, forward=dns, auth=auth, secrets=SECRET)
    return host.oectl_run("reload").returncode


for host in (g, h):
    host.oe(policies=GROUPS, forward=dns, auth="null", secrets=SECRET)
is_(g.ping(h, limit=3), 1, "authentication: an anonymous tunnel is up")
anonymous = spis(g, h)
is_(reload(g, "null"), 0, "authentication: a reload of the same")
is_((len(anonymous), spis(g, h)), (1, anonymous), "authentication: leaves its SAs")
is_(reload(g, "secret"), 0, "authentication: null becomes secret")
ok(wait_for(lambda: not spis(g, h) & anonymous and not spis(h, g), 5), "authentication: the anonymous SAs go on both ends")
is_(g.ping(h, count=2, limit=1), 0, "authentication: and who has no secret gets no other")
is_(reload(h, "secret"), 0, "authentication: until the peer has it too")
ok(wait_for(lambda: g.ping(h, limit=0.5), 10), "authentication: then there is a tunnel again")
is_(g.peer(h).get("auth"), "psk", "authentication: of a peer that has proved itself")
is_(len(wire.clear(g, h)), 0, "authentication: nothing in the clear, ever")

# --- keys, by a word ------------------------------------------------------------------------------
before, sa = spis(g, h), g.peer(h)["ike_sa"]
sender = g.ping_start(h, count=30, interval=0.1)
is_(g.oectl_run("rekey", h.v4).stdout.strip(), "rekeying 1", "rekey: oectl says of how many IKE SAs")
ok(wait_for(lambda: spis(g, h) and not spis(g, h) & before, 10), "rekey: there is another pair")
is_(sender.result(), 30, "rekey: not one packet is lost")
ok(wait_for(lambda: g.peer(h)["ike_sa"] != sa, 10), "rekey: under another IKE SA")
is_(len(wire.clear(g, h, since=mark)), 0, "rekey: nothing in the clear")
is_(h.oectl_run("rekey", "192.0.2.99").stdout.strip(), "rekeying 0", "rekey: a host without a tunnel has none")
is_(h.oectl_run("rekey", "nobody").returncode, 1, "rekey: and a name is no address")
