#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The HOWTO's forms with certificates: client half against server half, and mesh, from PKCS#12 files; one mesh has
its certificates from a CA below the root, and its hosts know the root alone."""
from lab import *


def conns(name, kind, **words):
    return example(name, **words).replace("auth=rsasig", f"auth={method_of(kind)}")


wire = Wire()
cases = [(form, kind, wire.host(f"c-{form}-{kind}"[:15]), wire.host(f"s-{form}-{kind}"[:15]))
         for form, kind in (("half", "rsa2048"), ("half", "rsa3072"), ("half", "ecdsa256"), ("half", "ecdsa384"),
                            ("mesh", "rsa2048"), ("mesh", "rsa3072"), ("mesh", "ecdsa256"), ("mesh", "ecdsa384"),
                            ("mesh", "ed25519"), ("below", "ecdsa256"))]
dns = wire.dns_host({f"{host.name}.example": host.v4 for case in cases for host in case[2:]})
for form, kind, client, server in cases:
    pki = Pki(kind)
    label = f"{form}, {kind}"
    issuer = pki.below("middle") if form == "below" else "ca"
    for host in (client, server):
        pki.issue(host.name, issuer=issuer)
    if form == "half":
        client.import_ca(pki)
        server.import_p12(pki)
        client.oe(policies={"private-or-clear": f"{server.v4}/32"}, forward=dns, conns=conns("client-half", kind))
        server.oe(policies={"clear-or-private": f"{client.v4}/32"}, forward=dns,
                  conns=conns("server-half", kind, NAME=server.name))
    else:
        for host in (client, server):
            host.import_p12(pki)
            host.oe(policies={"private": f"{client.v4}\n{server.v4}"}, forward=dns,
                    conns=conns("mesh", kind, NAME=host.name))
    mark = wire.now()
    answer = client.dns(f"{server.name}.example")
    is_(answer.addresses, [server.v4], f"{label}: {answer}")
    ok(client.has_sa(server) and server.has_sa(client), f"{label}: the SAs stand")
    is_(client.ping(server, count=3, limit=3), 3, f"{label}: traffic there")
    is_(server.ping(client, count=3, limit=3), 3, f"{label}: traffic back")
    is_({p.src for p in wire.esp(client, server, since=mark)}, {client.v4, server.v4}, f"{label}: ESP both ways")
    is_(len(wire.clear(client, server, since=mark)), 0, f"{label}: nothing in the clear")
    is_((client.peer(server)["auth"], server.peer(client)["auth"]),
        ("null/cert", "cert/null") if form == "half" else ("cert", "cert"), f"{label}: who has shown what")
    pki.remove()
