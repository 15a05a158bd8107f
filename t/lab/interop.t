#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interoperation as a table: each row of interop/rows.py with libreswan and with strongSwan, begun by us and by
them. make check runs the rows that are marked, one for each authentication in the HOWTO's forms; `make
check-interop` runs all (t/lab/run interop --all). A cell that the peer's Debian build cannot do says why.

--rows TEXT[/TEXT …]: the rows with one of these in their names; --peer, --who: only these cells; --jobs N: so
many cells at once; --shard K/N: every N-th cell from the K-th on, for labs side by side."""
import argparse
import queue
import threading
import traceback

from interop import scenes
from interop.cell import Cell
from interop.rows import PEERS, ROWS
from lab import *
from lab import tap

parser = argparse.ArgumentParser()
parser.add_argument("--all", action="store_true")
parser.add_argument("--rows")
parser.add_argument("--peer", choices=PEERS)
parser.add_argument("--who", choices=("us", "them", "both"))
parser.add_argument("--shard", default="1/1")
parser.add_argument("--jobs", type=int, default=4)
args = parser.parse_args()

PASS, FAIL, NOT = "pass", "FAIL", "-"


def chosen():
    """The cells to run, in order."""
    shard, shards = map(int, args.shard.split("/"))
    texts = (args.rows or "").split("/")
    rows = [row for row in ROWS
            if (any(text in row.name for text in texts) if args.rows else args.all or row.marked)]
    cells = [(row, peer, who) for row in rows for peer in PEERS for who in row.roles
             if args.peer in (None, peer) and args.who in (None, who)]
    return cells[shard - 1::shards]


def try_cell(cell):
    """What is wrong with the cell, or None."""
    scene = cell.row.scene
    cell.start()
    scenes.begin(scene)(cell)
    if not cell.stands():
        return "no SAs"
    if cell.who == "us" and not cell.is_answered():
        return "the lookup is not answered"
    if not scene and cell.ours.peer(cell.there)["trigger"] != {"us": "dns", "them": "inbound"}[cell.who]:
        return f"oectl peers: {cell.ours.peer(cell.there)}"
    wrong = scenes.after(scene)(cell)
    if wrong:
        return wrong
    if not cell.flows():
        return "no traffic"
    if {p.src for p in cell.esp()} != {cell.there, cell.back}:
        return "no ESP both ways"
    return "cleartext of ours" if cell.clear() else None


def run(number, row, peer, who):
    """One cell: PASS, FAIL or NOT."""
    label = f"{row.name}, {peer}, begun by {who}"
    why_not = row.why_not(peer, who)
    if why_not:
        note(f"{label}: not possible there: {why_not}")
        return NOT
    cell = Cell(wire, dns, number, peer, row, who)
    try:
        wrong = try_cell(cell)
    except Exception:  # pylint: disable=broad-except
        wrong = traceback.format_exc().rstrip()
    if not ok(not wrong, f"{label}: {wrong.splitlines()[-1]}" if wrong else label):
        diag(f"cell {number}: {wrong}")
        cell.explain()
    cell.remove()
    return FAIL if wrong else PASS


def work():
    while True:
        try:
            number, cell = todo.get_nowait()
        except queue.Empty:
            return
        row, peer, who = cell
        try:
            results[row.name, peer, who] = run(number, *cell)
        except Exception:  # pylint: disable=broad-except
            # The lab itself: the other cells go on.
            diag(traceback.format_exc())
            fail(f"{row.name}, {peer}, begun by {who}: the cell ran to its end")
            results[row.name, peer, who] = FAIL


def show_table():
    columns = [(peer, who) for peer in PEERS for who in ("us", "them", "both")]
    columns = [column for column in columns if any(key[1:] == column for key in results)]
    note(" " * 36 + "".join(f"{peer:>14}" for peer, _ in columns))
    note(" " * 36 + "".join(f"{'by ' + who:>14}" for _, who in columns))
    for row in dict.fromkeys(cell[0].name for cell in cells):
        note(f"{row:36}" + "".join(f"{results.get((row, *column), ''):>14}" for column in columns))


cells = chosen()
# A cell explains itself; the others on the wire have nothing to do with it.
tap.on_failure = None
wire = Wire()
wire.capture.shared = True
zone = {f"h{n}.example": [f"192.0.2.{n}", f"2001:db8::{n:x}"] for n in range(1, 190)}
dns = wire.dns_host(zone, number=200)
todo, results = queue.Queue(), {}
for numbered in enumerate(cells):
    todo.put(numbered)
workers = [threading.Thread(target=work) for _ in range(args.jobs)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
show_table()
counts = [list(results.values()).count(result) for result in (PASS, FAIL, NOT)]
is_(wire.capture.lost(), 0, "the capture lost nothing")
conclude("interop: {} passed, {} failed, {} not possible there".format(*counts))
