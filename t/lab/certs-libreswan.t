#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The HOWTO's forms with libreswan 4.10 on the other end: halves and mesh, each as initiator and responder."""
from lab import *

FORMS = [  # form, key, who initiates
    ("client", "rsa2048", "ours"), ("server", "rsa2048", "theirs"),
    ("client", "rsa3072", "ours"), ("server", "ecdsa256", "theirs"),
    ("mesh", "rsa2048", "ours"), ("mesh", "rsa3072", "theirs"),
    ("mesh", "ecdsa256", "ours"), ("mesh", "ecdsa256", "theirs"),
    ("mesh", "ecdsa384", "ours"), ("mesh", "ecdsa384", "theirs"),
]

wire = Wire()
cases = [(*form, wire.host(f"o{i}"), wire.host(f"l{i}")) for i, form in enumerate(FORMS)]
dns = wire.dns_host({f"{host.name}.example": host.v4 for case in cases for host in case[3:]})
for form, kind, who, ours, theirs in cases:
    pki = Pki(kind)
    for host in (ours, theirs):
        pki.issue(host.name)
    label = f"{form}, {kind}, initiated by {'us' if who == 'ours' else 'libreswan'}"
    method = f"auth={method_of(kind)}"

    def conns(name, host):
        return example(name, NAME=host.name).replace("auth=rsasig", method)

    if form == "mesh":
        policy = {"private": f"{ours.v4}\n{theirs.v4}"}
        names = "mesh", "mesh"
    else:
        names = ("client-half", "server-half")[:: 1 if form == "client" else -1]
        policy = None
    for host, name, start in ((ours, names[0], "oe"), (theirs, names[1], "pluto")):
        other = theirs if host is ours else ours
        lines = policy or {"clear-or-private" if name == "server-half" else "private-or-clear": f"{other.v4}/32"}
        if start == "oe":
            host.import_p12(pki)
            host.oe(policies=lines, forward=dns, conns=conns(name, host))
        else:
            host.nss_import(pki)
            host.start_libreswan(conf=conns(name, host).split("# Who is in policies/clear")[0], policies=lines)
    mark = wire.now()
    if who == "ours":
        answer = ours.dns(f"{theirs.name}.example")
        is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    else:
        theirs.ping(ours, count=8, interval=0.3)
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    is_(ours.ping(theirs, count=2, limit=3), 2, f"{label}: traffic from us")
    is_(theirs.ping(ours, count=2, limit=3), 2, f"{label}: traffic from them")
    is_({p.src for p in wire.esp(ours, theirs, since=mark)}, {ours.v4, theirs.v4}, f"{label}: ESP both ways")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    pki.remove()
