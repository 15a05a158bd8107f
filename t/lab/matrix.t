#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ordered pair of groups against matrix.table: first by a packet, then by a lookup."""
import os

from lab import *
from lab import state

TIMERS = "retransmit-timeout=1s"
SETUP = "dns-hold=4s"


def read_table():
    path = os.path.join(state.job["srcdir"], "t/lab/matrix.table")
    with open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return [dict(zip(("ours", "theirs", "answer", "ping", "wire"), row)) for row in rows]


def answer_of(answer):
    if answer.rcode != "NOERROR":
        return "fail"
    return "yes" if answer.addresses else "none"


def wire_of(a, b, mark):
    """The word of the table for what was between the two since then."""
    esp = wire.esp(a, b, since=mark)
    there = wire.seen(a, b, "clear", since=mark, one_way=True)
    back = wire.seen(b, a, "clear", since=mark, one_way=True)
    if esp:
        return "clear,esp" if there or back else "esp"
    if there:
        return "clear" if back else "out"
    return "none" if not back else "in"


wire = Wire()
rows = read_table()
pairs = [(row, wire.host(f"a{i}"), wire.host(f"b{i}")) for i, row in enumerate(rows)]
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs for host in pair[1:]}, number=200)
for row, a, b in pairs:
    for host, other, group in ((a, b, row["ours"]), (b, a, row["theirs"])):
        host.oe_configure(policies={group: f"{other.v4}/32"}, forward=dns, extra=TIMERS, setup=SETUP)
        host.oe_start(wait=False)
for row, a, b in pairs:
    for host in (a, b):
        if not host.oe_daemon.wait_log("info: ready", 20):
            bail(f"{host.name}: the daemon does not start")

good = total = 0


def compare(row, how, got):
    global good, total
    want = {key: row[key] for key in got}
    total += 1
    good += got == want
    is_(got, want, f"{row['ours']} to {row['theirs']}, {how}: {' '.join(got.values())}")


# First packet by acquire: all pairs at once, and no lookup before.
mark = wire.now()
pings = [(row, a, b, a.ping_start(b, count=12, interval=0.4, limit=2.0)) for row, a, b in pairs]
results = [(row, a, b, ping.result()) for row, a, b, ping in pings]
for row, a, b, answered in results:
    compare(row, "by a packet", {"ping": "yes" if answered else "no", "wire": wire_of(a, b, mark)})

# Then by a lookup: what is known of each other is forgotten first.
for row, a, b in pairs:
    a.control({"command": "down", "address": b.v4})
    b.control({"command": "down", "address": a.v4})
time.sleep(1)
mark = wire.now()
lookups = [(row, a, b, a.dns_start(f"{b.name}.example", timeout=8)) for row, a, b in pairs]
answers = [(row, a, b, lookup.result()) for row, a, b, lookup in lookups]
pings = [(row, a, b, answer, a.ping_start(b, count=8, interval=0.4, limit=2.0)) for row, a, b, answer in answers]
results = [(row, a, b, answer, ping.result()) for row, a, b, answer, ping in pings]
for row, a, b, answer, answered in results:
    compare(row, "by a lookup", {"answer": answer_of(answer), "ping": "yes" if answered else "no",
                                 "wire": wire_of(a, b, mark)})
conclude(f"matrix: {good} of {total} as expected")
