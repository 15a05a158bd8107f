#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A NAT in front of the initiator, PSK: strongSwan 5.9.8 in both roles, in transport mode; libreswan 4.10 as
the responder, in tunnel mode to the inner address that its configuration names.

Not possible there: libreswan 4.10 does not put the addresses that it sees into the selectors (RFC 7296
2.23.1). Its answer to transport mode from behind a NAT is TS_UNACCEPTABLE, and as an initiator it
refuses an answer that has the outer address. In tunnel mode it would ask us for what N9 forbids."""
from lab import *


LIBRESWAN = """conn oe
	left={me}
	leftid={me}
	right=%any
	rightid=%any
	rightsubnet={inner}/32
	type=tunnel
	authby=secret
	ikev2=insist
	auto=add
"""

wire = Wire()


def start_ours(host, to):
    host.oe(policies={"private-or-clear": f"{to.v4}/32"}, auth="secret", secrets=SECRET)


def check(label, client, server, gate):
    # Of what came before the tunnel stood, a peer may have lost some.
    client.ping(server, count=8, interval=0.4)
    ok(client.has_sa(server), f"{label}: the SAs stand")
    mark = wire.now()
    is_(client.ping(server, count=3, limit=3), 3, f"{label}: pings")
    ok(client.tcp_connect(server) is not None, f"{label}: TCP, and its echo")
    esp = wire.esp(gate, server, since=mark)
    is_({p.src for p in esp}, {gate.v4, server.v4}, f"{label}: ESP both ways")
    ok(esp and all(p.sport for p in esp), f"{label}: all of it in UDP")
    is_(len(wire.clear(gate, server, since=mark)), 0, f"{label}: nothing in the clear")


def strongswan(host, to, start):
    host.start_strongswan(swanctl_conf(swan_connection(
        None, to, local={"id": host.v4}, child={"mode": "transport", "start_action": start})))


def place(tag):
    gate, server = wire.gateway(f"gate-{tag}"), wire.host(f"server-{tag}", v6=False)
    server.serve()
    return gate, gate.hide(f"client-{tag}"), server


gate, client, server = place("s")
strongswan(server, "%any", "none")
start_ours(client, server)
check("strongSwan answers", client, server, gate)
is_(client.peer(server)["state"], "tunnelled", "strongSwan answers: oectl")

gate, client, server = place("t")
start_ours(server, gate)
strongswan(client, server.v4, "trap")
check("strongSwan initiates", client, server, gate)
gate.rebind()
mark = wire.now()
ok(client.ping(server, count=6, interval=0.5) >= 5, "strongSwan: its NAT has lost its table, we follow")
is_(len(wire.clear(gate, server, since=mark)), 0, "strongSwan: nothing in the clear")

gate, client, server = place("l")
server.start_libreswan(LIBRESWAN.format(me=server.v4, inner=client.v4), secrets=SECRET)
start_ours(client, server)
check("libreswan answers", client, server, gate)
ok("mode tunnel" in client.xfrm_states(), "libreswan answers: in tunnel mode, as it is configured")
