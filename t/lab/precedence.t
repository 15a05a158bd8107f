#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that overlap (P1, P2, K11): the kernel and our own lookup agree, where libreswan surprises.

There, `clear 0.0.0.0/0` ends the tunnels of narrower lines, a /32 of one group inside a
prefix of another counts or not by the order of files, and a line with a port outranks a
longer prefix without one."""
import shutil

from lab import *
from lab.peers import OE_DIR

ANYONE = {"clear-or-private": ["0.0.0.0/0", "::/0"]}
WEB, OTHER = 7, 9

wire = Wire()
a, b, c = (wire.host(name) for name in "abc")
dns = wire.dns_host({"b.example": b.v4, "c.example": c.v4})

# Each row: what it is about, a's lines, b's and c's lines, what happens to what.
# "esp": goes in a tunnel; "clear": goes as it is; "none": nothing leaves.
CASES = [
    ("clear 0.0.0.0/0 beside an anonymous tunnel",
     {"clear": ["0.0.0.0/0"], "private-or-clear": [b.v4]}, ANYONE,
     [("ping", b, "esp"), ("ping", c, "clear"), ("b", b, "esp"), ("c", c, "clear")]),
    ("clear /32 in block /24",
     {"block": ["192.0.2.0/26"], "clear": [c.v4]}, ANYONE,
     [("ping", b, "none"), ("ping", c, "clear"), (WEB, c, "clear"), ("b", b, "none"), ("c", c, "clear")]),
    ("block /32 in clear /24",
     {"clear": ["192.0.2.0/24"], "block": [b.v4]}, ANYONE,
     [("ping", b, "none"), (WEB, b, "none"), ("ping", c, "clear"), ("b", b, "none"), ("c", c, "clear")]),
    ("private /32 in clear /24 in block /8",
     {"block": ["192.0.0.0/8"], "clear": ["192.0.2.0/24"], "private": [b.v4]}, ANYONE,
     [("ping", b, "esp"), ("ping", c, "clear"), ("b", b, "esp")]),
    ("clear /32 in private /28 in private-or-clear /24",
     {"private-or-clear": ["192.0.2.0/24"], "private": ["192.0.2.0/28"], "clear": [c.v4, dns.v4]}, ANYONE,
     [("ping", b, "esp"), ("ping", c, "clear"), ("b", b, "esp"), ("c", c, "clear")]),
    ("a port line in a shorter prefix does not count",
     {"clear": [f"192.0.2.0/24 tcp 0 {WEB}"], "private": [b.v4]}, ANYONE,
     [(WEB, b, "esp"), ("ping", b, "esp"), (WEB, c, "clear")]),
    ("a port line of the same prefix counts",
     {"clear": [f"192.0.2.0/26 tcp 0 {WEB}"], "private": ["192.0.2.0/26"]},
     {"clear": [f"192.0.2.0/26 tcp {WEB} 0"], "clear-or-private": ["192.0.2.0/26"]},
     [(WEB, b, "clear"), ("ping", b, "esp"), (WEB, b, "clear"), (OTHER, b, "esp")]),
    ("a block of a port in a clear prefix",
     {"clear": ["192.0.2.0/24"], "block": [f"192.0.2.0/24 tcp 0 {WEB}"]}, ANYONE,
     [(WEB, b, "none"), (OTHER, b, "clear"), ("ping", b, "clear")]),
    ("a protocol counts less than a port",
     {"private": ["192.0.2.0/26 tcp 0 0"], "clear": [f"192.0.2.0/26 tcp 0 {WEB}", "192.0.2.0/26"]},
     {"clear": [f"192.0.2.0/26 tcp {WEB} 0", "192.0.2.0/26"], "clear-or-private": ["192.0.2.0/26 tcp 0 0"]},
     [(WEB, b, "clear"), (OTHER, b, "esp"), ("ping", b, "clear")]),
    ("IPv6: block /128 and private /128 in clear ::/0",
     {"clear": ["::/0"], "block": [c.v6], "private": [b.v6]}, ANYONE,
     [("ping6", b, "esp"), ("ping6", c, "none")]),
]


def seen(host, since):
    """What was between a and the host, in a word."""
    esp, clear = wire.esp(a, host, since=since), wire.clear(a, host, since=since)
    if esp and clear:
        return "both"
    return "esp" if esp else "clear" if clear else "none"


def happens(what, host, want):
    """Sends it; what became of it."""
    mark = wire.now()
    limit = 0.3 if want == "none" else 5.0
    if what in ("ping", "ping6"):
        reached = a.ping(host.v6 if what == "ping6" else host.v4, limit=limit) == 1
    elif isinstance(what, int):
        reached = a.tcp_connect(host, what, limit=limit) is not None
    else:
        answer = a.dns(f"{what}.example")
        reached = answer.rcode == "NOERROR" and answer.addresses == [host.v4]
        flow = a.peer(host)
        return ("esp" if flow and flow["state"] == "tunnelled" else "clear") if reached else "none"
    return seen(host, mark) if reached == (want != "none") else f"{seen(host, mark)}, reached: {reached}"


def configure(host, policies):
    """Nothing but these: a file without its conn would count as well (G3)."""
    host.call(shutil.rmtree, f"{OE_DIR}/policies", ignore_errors=True)
    host.oe_configure(policies=policies, forward=dns)


for host in (b, c):
    host.serve(WEB)
    host.serve(OTHER)
for number, (title, ours, theirs, checks) in enumerate(CASES):
    for host in (a, b, c):
        configure(host, ours if host is a else theirs)
        if number == 0:
            host.oe_start()
        else:
            run = host.oectl_run("reload")
            is_((run.returncode, run.stderr), (0, ""), f"{host.name} reloads")
    for what, host, want in checks:
        label = what if isinstance(what, str) else f"tcp {what}"
        is_(happens(what, host, want), want, f"{title}: {label} to {host.name}")

configure(a, {"private": [b.v4], "clear": [b.v4]})
run = a.oectl_run("reload")
ok(run.returncode and "policies/private:1" in run.stderr and "policies/clear:1" in run.stderr,
   f"one line in two groups is refused with both places (P2): {run.stderr.strip()}")
is_(happens("ping6", b, "esp"), "esp", "and changes nothing")
is_(wire.capture.lost(), 0, "the capture lost nothing")
