#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9, then --release as the unit does: private-or-clear goes on in the clear, private does not, on old sockets
and on new ones (K5, K6); a daemon that comes back knows with whom it had tunnels."""
from lab import *
from lab.talk import silent, talks

LIMIT = 15.0
wire = Wire()
a, b, c, d = (wire.host(name) for name in "abcd")  # b and d may be had in the clear, d has no daemon; c is private
OPEN, CLOSED = [b.v4, b.v6, d.v4, d.v6], [c.v4, c.v6]
FROM_A = [f"{a.v4}/32", f"{a.v6}/128"]
for host, policies in ((a, {"private-or-clear": ["192.0.2.0/29", "2001:db8::/125"], "private": [f"{c.v4}/32", f"{c.v6}/128"]}),
                       (b, {"private-or-clear": FROM_A}), (c, {"private": FROM_A})):
    host.oe(policies=policies, extra="retransmit-timeout=2s")
for host in (a, b, c, d):
    host.serve()


def between(addresses, since=0.0):
    """Cleartext between a and any of these."""
    return [p for address in addresses for p in wire.clear(a, address, since=since)]


def is_closed(label, mark, conversations):
    is_(silent(conversations, 1.5), [str(talk) for talk in conversations], f"{label}: private is closed on old sockets")
    is_([talk.says(0.5) for talk in talks(a, *CLOSED, limit=1.0)], [None] * 4, f"{label}: and on new ones")
    packets = between(CLOSED, mark)
    is_(len(packets), 0, f"{label}: nothing of it is in the clear")
    wire.show(packets)


def is_open(label, mark, conversations):
    """TCP sends again after at most as long as it was silent already."""
    is_(silent(conversations, LIMIT), [], f"{label}: what was opened before goes on (after {wire.now() - mark:.1f} s)")
    is_(silent(talks(a, *OPEN), LIMIT), [], f"{label}: and so does what is opened now")
    is_([to for to in OPEN if not between([to], mark)], [], f"{label}: in the clear")


to_open, to_closed = talks(a, *OPEN), talks(a, *CLOSED)
is_(silent(to_open + to_closed, LIMIT), [], "TCP and UDP with hosts of both groups")
is_([a.peer(to)["state"] for to in OPEN + CLOSED], ["tunnelled"] * 2 + ["clear"] * 2 + ["tunnelled"] * 2,
    "in tunnels, but with the host that has no daemon")

# --- a crash and nothing else: tunnels go on, and what was open stays so --------------------------------
a.oe_daemon.kill()
is_(silent(to_open + to_closed, LIMIT), [], "after kill -9 all go on")
is_(len(between(OPEN[:2] + CLOSED)), 0, "nothing that had a tunnel in the clear")

# --- as the unit does: a release, and a start a second later --------------------------------------------
mark = wire.now()
is_(a.oe_run("--release").returncode, 0, "oe-resolverd --release")
is_closed("released", mark, to_closed)
a.oe_start()
ok(a.oe_daemon.wait_log("an earlier run had tunnels with 4 hosts"), "the next start knows with whom there were tunnels")
for host in (b, c):
    ok(wait_for(lambda: host.ping(a, limit=0.5) and host.ping(a.v6, limit=0.5), 10), f"who reach it soon: {host.name}")
is_(silent(to_open + to_closed, LIMIT), [], "the old sockets go on")
is_([a.peer(to)["state"] for to in OPEN[:2] + CLOSED], ["tunnelled"] * 4, "in tunnels again")
is_(len(between(CLOSED)), 0, "nothing of private in the clear")

# --- no daemon comes back ---------------------------------------------------------------------------------
a.oe_daemon.kill()
mark = wire.now()
is_(a.oe_run("--release").returncode, 0, "kill -9, and oe-resolverd --release")
is_open("released for good", mark, to_open)
is_closed("released for good", mark, to_closed)
for host, to in ((b, a.v4), (b, a.v6)):
    ok(host.tcp_connect(to), f"{host.name} reaches {to}, too")
is_(a.oe_run("--release").returncode, 0, "another release")
is_(silent(to_open, LIMIT), [], "changes nothing")

# --- packets that wait for the end of a negotiation that has no daemon any more -----------------------------
wire.silence_ike(b)
a.oe_start()
mark = wire.now()
waiting = a.spawn(talks, a, *OPEN[:2])
ok(wait_for(lambda: wire.ike(a.v4, b.v4, since=mark) and wire.ike(a.v6, b.v6, since=mark), 5), "negotiations are under way")
a.oe_daemon.kill()
is_(a.oe_run("--release").returncode, 0, "kill -9 in their midst, and --release")
is_(silent(waiting.result(), LIMIT), [], "what waited goes on in the clear")
wire.lose_nothing()

# --- and a daemon for good --------------------------------------------------------------------------------
a.oe_start()
is_(silent(to_closed, 2 * LIMIT), [], "with a daemon the old sockets to private hosts go on")
ok(wait_for(lambda: not silent(to_open[:4], LIMIT) and a.peer(b.v4)["state"] == a.peer(b.v6)["state"] == "tunnelled", LIMIT),
   "private-or-clear has its tunnels again")
mark = wire.now()
is_(silent(to_open[:4], LIMIT), [], "and the old sockets")
is_(len(between(OPEN[:2], mark)), 0, "go on in them")
is_(len(between(CLOSED)), 0, "nothing of private was ever in the clear")
is_(wire.capture.lost(), 0, "the capture lost nothing")
