#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspend and resume (K6): what became due meanwhile is done, what peers have done meanwhile is found out, traffic flows again
within dpddelay + retransmit-timeout + a negotiation, and nothing private is in the clear.

The kernel of the lab cannot sleep for long, so a sleeping host is one that is cut off, whose daemon stands still, and for
which CLOCK_BOOTTIME then is that much ahead (asleep.c) and CLOCK_REALTIME has been set: all that a daemon sees of a resume.
"""
import os
import signal
import struct
import subprocess

from lab import *
from lab import state
from lab.talk import silent, talks

DELAY, TIMEOUT = 3, 2
LIMIT = DELAY + TIMEOUT + 5.0
DAY = 86400
SHIM, SLEPT = state.out("asleep.so"), "/run/slept"
TIMERS = f"dpddelay={DELAY}s\nretransmit-timeout={TIMEOUT}s\nikelifetime=4h\nsalifetime=1h"

wire = Wire()
a, b, c, d, e, f, g = (wire.host(name, v6=False) for name in "abcdefg")
# To a: b and c are private and alive, d may be had in the clear, e is private and not there for long.
LINES = {"private": [f"{host.v4}/32" for host in (b, c, e)], "private-or-clear": f"{d.v4}/32"}
run = subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", SHIM, os.path.join(os.path.dirname(os.path.abspath(__file__)), "asleep.c")],
                     check=False, capture_output=True, text=True)
is_((run.returncode, run.stderr), (0, ""), "the clock of a sleeper is built")


def set_slept(host, seconds):
    def write():
        with open(SLEPT, "r+b" if os.path.exists(SLEPT) else "wb") as file:
            file.write(struct.pack("@q", seconds))
    host.call(write)
    host.slept = seconds


def start(host, policies, extra=TIMERS):
    set_slept(host, 0)
    host.oe_configure(policies=policies, extra=extra)
    os.environ.update(LD_PRELOAD=SHIM, OE_LAB_ASLEEP=SLEPT)
    try:
        host.oe_start()
    finally:
        del os.environ["LD_PRELOAD"], os.environ["OE_LAB_ASLEEP"]


def sleep(*hosts, meanwhile=None, seconds=DAY):
    """They sleep for so long as they can tell; meanwhile() runs while they do."""
    for host in hosts:
        host.oe_daemon.signal(signal.SIGSTOP)
        wire.cut(host)
    if meanwhile:
        meanwhile()
    for host in hosts:
        set_slept(host, host.slept + seconds)
        wire.mend(host)
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    for host in hosts:
        host.oe_daemon.signal(signal.SIGCONT)


def flows(label, conversations):
    """The old sockets' traffic, in both directions, within the limit."""
    began = time.monotonic()
    is_(silent(conversations, LIMIT), [], f"{label}: traffic flows again, within {LIMIT:.0f} s")
    note(f"{label}: after {time.monotonic() - began:.1f} s")
    ok(all(host.oe_daemon.running for host in (a, b)), f"{label}: and daemons run")


def closed(label, *hosts):
    packets = [p for host in hosts for p in wire.clear(a, host)]
    is_(len(packets), 0, f"{label}: nothing private in the clear")
    wire.show(packets, 10)


def tunnelled(*hosts):
    return [(a.peer(host) or {}).get("state") for host in hosts] == ["tunnelled"] * len(hosts)


for host in (a, b, c, d, e):
    start(host, LINES if host is a else {"private-or-clear" if host is d else "private": f"{a.v4}/32"})
    host.serve()
to_b, to_c, to_d, to_e, back = talks(a, b), talks(a, c), talks(a, d), talks(a, e), talks(b, a)
is_(silent(to_b + to_c + to_d + to_e + back, LIMIT), [], "conversations with four hosts")
ok(tunnelled(b, c, d, e), "all in tunnels")

# --- nothing but a timer of an hour to wake it -------------------------------------------------------------------
for host, other in ((f, g), (g, f)):
    start(host, {"private": f"{other.v4}/32"}, "dpddelay=0\nikelifetime=100d\nsalifetime=1h")
is_(f.ping(g, limit=5), 1, "two hosts that never ask")
# The ping is answered by the kernel, which may be before the daemon has heard of it.
ok(wait_for(lambda: (f.peer(g) or {}).get("state") == "tunnelled", LIMIT), "are in a tunnel")
mark = wire.now()
sleep(f)
ok(wait_for(lambda: [p for p in wire.ike(f, g, since=mark) if p.exchange == "CREATE_CHILD_SA" and p.response], LIMIT),
   "who has slept for longer than its keys may live replaces them when it wakes")
is_(f.ping(g, count=3, limit=1), 3, "and goes on")

# --- a day in which nothing happens ---------------------------------------------------------------------------------
mark = wire.now()
sleep(a)
is_(a.ping(b, limit=2), 1, "a quiet day: the tunnel is there at once")
flows("a quiet day", to_b + to_c + to_d + to_e + back)
ok(wait_for(lambda: [p for p in wire.ike(a, b, since=mark) if p.exchange == "CREATE_CHILD_SA" and p.response], LIMIT),
   "a quiet day: keys that had their time are replaced")
is_(len(wire.negotiations(a, since=mark)), 0, "a quiet day: and nothing is negotiated anew")
closed("a quiet day", b, c, d, e)


# --- a day in which much does ---------------------------------------------------------------------------------------
def much():
    """b has given us up, c has rebooted, the daemon of d and all of e are gone."""
    for host in (c, d, e):
        host.oe_daemon.kill()
        host.ip("xfrm policy flush", "xfrm state flush")
    c.oe_start()
    sender = b.ping_start(a, count=50, interval=0.3)
    ok(b.oe_daemon.wait_log("tunnel down: dead peer", 3 * LIMIT), "meanwhile a peer that sends finds that we are gone")
    sender.result()
    wire.cut(e)


mark = wire.now()
sleep(a, meanwhile=much)
flows("a busy day", to_b + to_c + back)
ok(tunnelled(b, c), "a busy day: in tunnels")
closed("a busy day", b, c, e)
is_(silent(to_d, 2 * LIMIT), [], "a busy day: a host of private-or-clear whose daemon is gone is reached")
ok(wire.clear(a, d, since=mark), "a busy day: in the clear")
is_(len(silent(to_e, DELAY + TIMEOUT + 2)), 2, "a busy day: a private one is not")
ok(wait_for(lambda: a.peer(e) is None or a.peer(e)["state"] != "tunnelled", LIMIT), "a busy day: and nobody says it were")
closed("a busy day", b, c, e)

# --- failures and their shunts are of the day before ----------------------------------------------------------------
start(d, {"private-or-clear": f"{a.v4}/32"})
wire.mend(e)
start(e, {"private": f"{a.v4}/32"})
mark = wire.now()
sleep(a)
ok(wait_for(lambda: not silent(to_d + to_e, LIMIT) and tunnelled(d, e), LIMIT),
   "after a night, hosts that had failed before it are in tunnels")
mark = wire.now()
is_(silent(to_d, LIMIT), [], "on the old sockets")
is_(len(wire.clear(a, d, since=mark)), 0, "which the shunt has let go")

# --- both asleep ------------------------------------------------------------------------------------------------------
sleep(a, b)
flows("both asleep", to_b + back)

# --- a daemon that stands still for longer than its keys may live; the host does not ---------------------------------------
downs = len(b.oe_daemon.wait_log("tunnel down", 0))
a.oe_daemon.signal(signal.SIGSTOP)
sleep(b)
ok(b.oe_daemon.wait_log("tunnel down", LIMIT, count=downs + 1), "a daemon stands still: its peer cannot have other keys, and gives it up")
a.oe_daemon.signal(signal.SIGCONT)
flows("a daemon stands still", to_b + back)



def pairs(host):
    """The SAs between a and b that the host has."""
    return {sa for sa in host.esp_states() if {sa[0], sa[1]} == {a.v4, b.v4}}


# Who was given up does not know it yet: what it sends meanwhile is lost, and no clock is to blame.
ok(wait_for(lambda: pairs(a) == pairs(b) and len(pairs(a)) == 2, 3 * LIMIT), "a daemon stands still: and both have the same pair again")

# --- the time of day jumps -------------------------------------------------------------------------------------------------
for jump in (3600, -7200, 10 * DAY, -20 * DAY):
    mark = wire.now()
    sender = a.ping_start(b, count=10, interval=0.1)
    time.clock_settime(time.CLOCK_REALTIME, time.time() + jump)
    is_(sender.result(), 10, f"the clock jumps {jump} s: no packet is lost")
closed("all along", b, c, e)
is_(wire.capture.lost(), 0, "the capture lost nothing")
