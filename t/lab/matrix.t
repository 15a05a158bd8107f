#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ordered pair of groups against matrix.table: ours with ours, and libreswan 4.10 on either end.

First by a packet, then by a lookup where it is ours that asks (libreswan has no trigger by DNS). Five
hosts speak first and five are spoken to, one for each group, so that all pairs go side by side.
"""
import ipaddress
import os
import re

from lab import *
from lab import state

GROUPS = ("private", "private-or-clear", "clear-or-private", "clear", "block")
TIMERS = "retransmit-timeout=3s"
SETUP = "dns-hold=4s"
OURS, LIBRESWAN = "ours", "libreswan"
COLUMNS = ("first", "second", "answer", "ping", "wire", "kernel1", "kernel2")


def read_table():
    """{(kind of first, kind of second): rows}; a row's words by column."""
    sections, rows = {}, None
    with open(os.path.join(state.job["srcdir"], "t/lab/matrix.table"), encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0].startswith("["):
                first, second = words[0].strip("[]"), words[-1].strip("[]")
                rows = sections.setdefault((first, second), [])
            else:
                rows.append(dict(zip(COLUMNS, words, strict=True)))
    return sections


# --- what was seen -----------------------------------------------------------------------------

def answer_of(answer):
    if answer.rcode != "NOERROR":
        return "fail"
    return "yes" if answer.addresses else "none"


class Seen:
    """What was on the wire since a moment, sorted once."""

    def __init__(self, mark):
        wire.capture.settle()
        self.between = set()
        for p in list(wire.capture.packets):
            if p.time >= mark and (p.clear or p.kind == "esp"):
                self.between.add((p.src, p.dst, "clear" if p.clear else p.kind))

    def word(self, a, b):
        """The word of the table for what was between the two."""
        esp = (a.v4, b.v4, "esp") in self.between or (b.v4, a.v4, "esp") in self.between
        there, back = (a.v4, b.v4, "clear") in self.between, (b.v4, a.v4, "clear") in self.between
        if esp:
            return "clear,esp" if there or back else "esp"
        if there:
            return "clear" if back else "out"
        return "none" if not back else "in"


class Tables:
    """A host's policies and states, and what they do with a peer's packets."""

    POLICY = re.compile(r"src (\S+) dst (\S+) ?(.*)\n\s*dir (\w+)(?: action (\w+))? priority (\d+)(.*)")

    def __init__(self, host):
        self.host, self.policies = host, []
        for text in re.split(r"\n(?=src )", host.xfrm_policies()):
            found = self.POLICY.match(text)
            if found and not found[3].strip():
                tmpl = re.search(r"tmpl src (\S+) dst (\S+)", text)
                self.policies.append((int(found[6]), found[4], found[1], found[2], found[5], tmpl and tmpl[2]))
        self.states = re.findall(r"src (\S+) dst (\S+)\s+proto esp spi 0x(?!00000000)",
                                 host.run("ip", "xfrm", "state").stdout)

    def _word(self, direction, source, to):
        def covers(prefix, address):
            return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
        fit = [p for p in self.policies if p[1] == direction and covers(p[2], source) and covers(p[3], to)]
        if not fit:
            return "open"
        _, _, _, _, action, tmpl = min(fit, key=lambda p: p[0])
        if action == "block" or not tmpl:  # (libreswan's block has a template as well)
            return "closed" if action == "block" else "open"
        if tmpl == "0.0.0.0":
            return "trap"
        return "tunnel" if (source, to) in self.states else "no-sa"

    def words(self, peer):
        """For what leaves to the peer, for what comes from it."""
        ours, theirs = self.host.v4, peer.v4
        return f"{self._word('out', ours, theirs)}/{self._word('in', theirs, ours)}"


# --- hosts -------------------------------------------------------------------------------------

def hosts_of(kind, first):
    """Five hosts, one for each group, from an address on that begins a /29."""
    return {group: wire.host(f"{kind[0]}{first + i}", first + i) for i, group in enumerate(GROUPS)}


def start(kind, host, group, others, dns):
    # libreswan 4.10 forgets the kernel's part of a failure where the line is the host itself; its scripts would
    # hold up everything for seconds here, and its traps are deaf while the larval state of an acquire lives.
    policy = {group: f"{others[GROUPS[0]].v4}/29"}
    if kind == LIBRESWAN:
        host.pluto = host.start_libreswan(policies=policy, extra=f"{TIMERS}\nleftupdown=%disabled", setup="xfrmlifetime=2s")
    else:
        host.oe_configure(policies=policy, forward=dns, extra=TIMERS, setup=SETUP)
        host.oe_start(wait=False)


wire = Wire()
table = read_table()
ends = {kinds: (hosts_of(kinds[0], 16 * n + 8), hosts_of(kinds[1], 16 * n + 16)) for n, kinds in enumerate(table)}
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in ends.values() for end in pair
                     for host in end.values()}, number=200)
how_started = {}
for kinds, pair in ends.items():
    for kind, end, others in ((kinds[0], *pair), (kinds[1], *pair[::-1])):
        for group, host in end.items():
            how_started[host] = (kind, host, group, others, dns)
            start(*how_started[host])
everybody = [host for pair in ends.values() for end in pair for host in end.values()]
ours = [host for host in everybody if hasattr(host, "oe_daemon")]
for host in ours:
    if not host.oe_daemon.wait_log("info: ready", 20):
        bail(f"{host.name}: the daemon does not start")
cells = [(kinds, row, ends[kinds][0][row["first"]], ends[kinds][1][row["second"]])
         for kinds, rows in table.items() for row in rows]

# --- what is compared ---------------------------------------------------------------------------

good = total = 0


def fits(word, wanted):
    """a|b/c: a or b on this side of the stroke, c on that."""
    parts = word.split("/"), wanted.split("/")
    return len(parts[0]) == len(parts[1]) and all(a in b.split("|") for a, b in zip(*parts))


def compare(kinds, row, how, got):
    global good, total
    wrong = {key: f"{word}, not {row[key]}" for key, word in got.items() if not fits(word, row[key])}
    total += 1
    good += not wrong
    if wrong:
        diag(f"{wrong}")
    ok(not wrong, f"{kinds[0]} {row['first']} to {kinds[1]} {row['second']}, {how}: {' '.join(got.values())}")


def found(a, b, answered, packets, tables):
    return {"ping": "yes" if answered else "no", "wire": packets.word(a, b),
            "kernel1": tables[a].words(b), "kernel2": tables[b].words(a)}


def pinged(cells, count):
    """Whether the second host of each answered the first; all side by side."""
    pings = [a.ping_start(b, count=count, interval=0.4, limit=2.0) for _, _, a, b in cells]
    return [ping.result() for ping in pings]


# First packet by acquire: all pairs at once, and no lookup before.
mark = wire.now()
results = pinged(cells, 16)
packets, tables = Seen(mark), {host: Tables(host) for host in everybody}
for (kinds, row, a, b), answered in zip(cells, results):
    compare(kinds, row, "by a packet", found(a, b, answered, packets, tables))

# Then by a lookup: what is known of each other is forgotten first.
asking = [cell for cell in cells if cell[0][0] == OURS]
for _, _, a, b in asking:
    for host, other in ((a, b), (b, a)):
        if host in ours:
            host.control({"command": "down", "address": other.v4})
# libreswan's traps do not fire for a host whose tunnel has just been deleted.
for host in {b for _, _, a, b in asking if b not in ours}:
    host.pluto.stop()
    host.ip("xfrm policy flush", "xfrm state flush")
    start(*how_started[host])
mark = wire.now()
lookups = [a.dns_start(f"{b.name}.example", timeout=8) for _, _, a, b in asking]
answers = [lookup.result() for lookup in lookups]
results = pinged(asking, 16)
packets, tables = Seen(mark), {host: Tables(host) for host in everybody}
for (kinds, row, a, b), answer, answered in zip(asking, answers, results):
    compare(kinds, row, "by a lookup", {"answer": answer_of(answer), **found(a, b, answered, packets, tables)})
is_(wire.capture.lost(), 0, "the capture lost nothing")
conclude(f"matrix: {good} of {total} as expected")
