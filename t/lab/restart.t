#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that has lost its state and whose peers have not: who talks to it reaches it again, and soon (N7)."""
from lab import *

wire = Wire()
a, *others = (wire.host(name) for name in ("a", "b", "c", "d", "e"))
for host in (a, *others):
    host.oe(policies={"private": "192.0.2.0/28\n2001:db8::/124"})
is_([h.name for h in others if not h.ping(a, limit=4) or not h.ping(a.v6, limit=4)], [], "four hosts reach a")


def initiators(x, y=None, since=0.0):
    return {p.src for p in wire.ike(x, y, since=since) if p.exchange == "IKE_SA_INIT" and not p.response}


is_(initiators(a) & {a.v4, a.v6}, set(), "who have begun it all")


def crash(host, reboot=False):
    """kill -9, and start again; a reboot takes what is in the kernel with it."""
    host.oe_daemon.kill()
    if reboot:
        host.ip("xfrm policy flush", "xfrm state flush")
    host.oe_start()


def all_reach(label, hosts, to, limit):
    since = wire.now()
    senders = [h.spawn(lambda h=h: wait_for(lambda: h.ping(to, limit=0.3), limit) and wire.now() - since) for h in hosts]
    took = [sender.result(2 * limit) for sender in senders]
    ok(all(took), f"{label}: all reach it, after {', '.join(f'{t:.1f}' if t else 'never' for t in took)} s")


# Long before the others would have noticed: dpddelay is 30 s.
mark = wire.now()
crash(a)
ok(a.oe_daemon.wait_log("an earlier run had tunnels with 8 hosts"), "kill -9: it knows with whom it had tunnels")
ok(wait_for(lambda: all(a.v4 in initiators(a, h, mark) for h in others), 10), "kill -9: and negotiates with each")
all_reach("kill -9", others, a, 10)
is_(initiators(a, since=mark) - {a.v4, a.v6}, set(), "kill -9: nobody else had to begin")
is_([h.name for h in others if not h.ping(a.v6, limit=4)], [], "kill -9: by IPv6 too")

# It has forgotten all, and talks first.
f, g = wire.host("f", v6=False), wire.host("g", v6=False)
for host in (f, g):
    host.oe(policies={"private": "192.0.2.0/24"})
is_(g.ping(f, limit=4), 1, "two more")
crash(f, reboot=True)
ok(wait_for(lambda: f.ping(g, limit=0.5), 8), "reboot: who is back and talks first is answered")
is_(g.ping(f, count=5), 5, "reboot: and from then on reached by who talks to it")

# It has forgotten all, and says nothing: the others find out.
h, i = wire.host("h", v6=False), wire.host("i", v6=False)
for host in (h, i):
    host.oe(policies={"private": "192.0.2.0/24"}, extra="dpddelay=3s\nretransmit-timeout=2s")
is_(h.ping(i, limit=4), 1, "and two more, with a dpddelay of 3 s and a retransmit-timeout of 2 s")
crash(i, reboot=True)
all_reach("reboot", [h], i, 30)
told = [p for p in wire.ike(h, i) if p.src == i.v4 and p.exchange == "INFORMATIONAL" and p.response]
ok(told, "reboot: it said that it knew of no such SA")

# Somebody takes the SAs out of its kernel: who talks from there does not wait for ever.
since = wire.now()
g.ip("xfrm state flush")
ok(wait_for(lambda: g.ping(f, limit=1), 8), "flushed SAs: the host itself finds out when it sends")
ok(g.oe_daemon.wait_log("somebody has removed the tunnel's SAs"), "and says so")
ok(initiators(f, g, since), "and negotiates anew")
pairs = [(a, o) for o in others] + [(f, g), (h, i)]
is_(sum(len(wire.clear(x, y)) for x, y in pairs), 0, "nothing in the clear")
