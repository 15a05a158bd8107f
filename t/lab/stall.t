#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that gets no time for a while finds everything at once when it runs again: its own timers, what the
kernel ended meanwhile, acquires. It does each once and goes on."""
import re
import signal

from lab import *

DEAD = [f"192.0.2.{n}" for n in range(100, 108)]

wire = Wire()
a, b = wire.host("a"), wire.host("b")
dead = wire.host("dead", 99)
dead.ip(*[f"address add {address}/24 dev eth0" for address in DEAD])
wire.lose('udp dport 500 ip daddr 192.0.2.100-192.0.2.107')
policies = {"private": [f"{address}/32" for address in DEAD[:4]] + [f"{b.v4}/32"], "private-or-clear": DEAD[4:]}
for host in (a, b):
    host.oe(policies=policies if host is a else {"private": a.v4}, extra="retransmit-timeout=500ms")


def count(state):
    return len([flow for flow in a.oectl("peers") if flow["remote"].split("/")[0] in DEAD and flow["state"] == state])


def shunts():
    """Policies from us to the private ones: a shunt takes the place of the trap."""
    return re.findall(rf"src {re.escape(a.v4)}/32 dst 192\.0\.2\.10[0-3]/32", a.xfrm_policies())


for turn in range(3):
    tasks = [a.ping_start(address, count=12, interval=0.3, limit=0.2) for address in DEAD]
    ok(wait_for(lambda: count("blocked") == 4, 15, 0.05), "four private hosts have failed: blocked for a second")
    # The kernel ends their shunts after two; held packets of theirs go on asking for more.
    a.oe_daemon.signal(signal.SIGSTOP)
    ok(wait_for(lambda: not shunts(), 10, 0.2), "and the kernel has ended their shunts, while the daemon stands")
    a.oe_daemon.signal(signal.SIGCONT)
    for task in tasks:
        task.result()
    ok(a.oe_daemon.running and wait_for(lambda: a.oectl("status"), 10), "the daemon goes on")
    for address in DEAD:
        a.control({"command": "down", "address": address})

ok(wait_for(lambda: a.ping(b, limit=1), 15), "a live host is reached")
is_(a.peer(b)["state"], "tunnelled", "in a tunnel")
is_([len(wire.clear(a, address)) for address in DEAD[:4]], [0] * 4, "nothing private in the clear")
