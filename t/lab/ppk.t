#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Post-quantum pre-shared keys (RFC 8784) with libreswan 4.10 and strongSwan 5.9.8, in both roles: used where both
have one, not used where both may go without, and no tunnel where one end insists or the keys differ."""
from lab import *

KEY = "older than any quantum computer, and keeps quiet"
OTHER = "older than any quantum computer, and talks a lot"
LIFE = "retransmit-timeout=3s"

INSIST, MAY = {"ppk_id": "fleet", "ppk_required": "yes"}, {"ppk_id": "fleet"}  # strongSwan's words

# Name, who begins, ppk= of ours, of theirs, their key, what comes of it.
CASES = [
    ("l-both", "ours", "insist", "insist", KEY, "with"),
    ("l-both2", "theirs", "insist", "insist", KEY, "with"),
    ("l-may", "ours", "propose", "propose", KEY, "with"),
    ("l-may2", "theirs", "propose", "propose", KEY, "with"),
    ("l-wrong", "ours", "insist", "insist", OTHER, "fails"),
    ("l-wrong2", "theirs", "insist", "insist", OTHER, "fails"),
    ("l-none", "ours", "propose", "no", KEY, "without"),
    ("l-none2", "theirs", "no", "propose", KEY, "without"),
    ("s-both", "ours", "insist", INSIST, KEY, "with"),
    ("s-both2", "theirs", "insist", INSIST, KEY, "with"),
    ("s-may", "ours", "propose", MAY, KEY, "with"),
    ("s-may2", "theirs", "propose", MAY, KEY, "with"),
    ("s-wrong", "ours", "insist", INSIST, OTHER, "fails"),
    ("s-wrong2", "theirs", "insist", INSIST, OTHER, "fails"),
    ("s-none", "ours", "propose", {}, KEY, "without"),
    ("s-none2", "theirs", "propose", MAY, None, "without"),
]


def begin_theirs(case, host, peer):
    _, who, _, ppk, key, _ = case
    if case[0].startswith("l-"):
        extra = f"ppk={ppk}"
        host.start_libreswan(policies={"private-or-clear": f"{peer.v4}/32"}, auth="secret", extra=extra,
                             secrets=SECRET + f': PPKS "fleet" "{key}"\n')
        return
    host.start_strongswan(swanctl_conf(
        swan_connection(host.v4, peer.v4, child={"start_action": "none" if who == "ours" else "trap"}, **ppk),
        ppk=("fleet" if ppk else "another", key or KEY)))


def begin_ours(case, host, peer, dns):
    # The last one: strongSwan's PPK is one that we do not have.
    name = "another" if case[4] is None else "fleet"
    host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, forward=dns, auth="secret",
            extra=f"ppk={case[2]}\n{LIFE}", secrets=SECRET + f': PPKS "{name}" "{KEY}"\n')


wire = Wire()
pairs = {case[0]: (wire.host(f"o-{case[0]}"), wire.host(case[0])) for case in CASES}
dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs.values() for host in pair})
for case in CASES:
    name, who, use, theirs_use, _, want = case
    ours, theirs = pairs[name]
    begin_ours(case, ours, theirs, dns)
    begin_theirs(case, theirs, ours)
    peer = "libreswan" if name.startswith("l-") else "strongSwan"
    label = f"{peer}, {'we' if who == 'ours' else 'it'} begin{'' if who == 'ours' else 's'}, ppk={use}: {want}"
    mark = wire.now()
    if who == "ours":
        ours.dns(f"{theirs.name}.example")
    else:
        theirs.ping(ours, count=8, interval=0.3)
    if want == "fails":
        reasons = [p["reason"] or "" for p in ours.oectl("peers")]
        ok(any("another PPK" in reason for reason in reasons), f"{label}: oectl says why: {reasons}")
        ok(not ours.has_sa(theirs), f"{label}: no SA")
        continue
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    is_(ours.ping(theirs, count=3, limit=3), 3, f"{label}: traffic")
    is_({p.src for p in wire.esp(ours, theirs, since=mark)}, {ours.v4, theirs.v4}, f"{label}: ESP both ways")
    is_(ours.peer(theirs)["auth"], "psk+ppk" if want == "with" else "psk", f"{label}: oectl")
