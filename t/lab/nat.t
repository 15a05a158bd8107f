#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A NAT in front of the initiator, of the responder, of both (rule N9); its table lost; who is refused."""
from lab import *

wire = Wire()


def start(host, peer, auth="secret", extra=""):
    host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, auth=auth, secrets=SECRET,
            setup="keep-alive=2", extra="retransmit-timeout=3s\n" + extra)
    host.serve()


def check(label, client, server, seen_client, seen_server):
    """Traffic from client to seen_server is ESP in UDP between the two addresses that the wire sees."""
    mark = wire.now()
    ok(client.ping(seen_server, count=3, interval=0.5, limit=3) >= 2, f"{label}: pings")
    ok(client.tcp_connect(seen_server) is not None, f"{label}: TCP, and its echo")
    flow = client.peer(seen_server)
    is_(flow and flow["state"], "tunnelled", f"{label}: oectl")
    wire.capture.settle()
    mark = wire.now()
    is_(client.ping(seen_server, count=3, limit=3), 3, f"{label}: pings in the tunnel")
    esp = wire.esp(seen_client, seen_server, since=mark)
    is_({p.src for p in esp}, {str(seen_client), str(seen_server)}, f"{label}: ESP both ways")
    ok(all(p.sport for p in esp), f"{label}: all of it in UDP")
    is_(len(wire.clear(seen_client, seen_server, since=mark)), 0, f"{label}: nothing in the clear")
    text = server.xfrm_states()
    ok("mode transport" in text and "encap type espinudp" in text, f"{label}: the kernel's SAs")


# --- in front of the initiator ----------------------------------------------------------------
gate, server = wire.gateway("gate"), wire.host("server", v6=False)
client, second = gate.hide("client"), gate.hide("second")
start(client, server)
start(server, gate)
check("client behind", client, server, gate, server)

mark = wire.now()
ok(wait_for(lambda: [p for p in wire.ike(gate, server, since=mark) if "keepalive" in p.detail], 6),
   "client behind: its mapping is kept alive")
ok(not [p for p in wire.ike(server, gate, one_way=True) if "keepalive" in p.detail],
   "the server sends no keepalive")

before = wire.negotiations(gate, server)
gate.rebind()
# The server's kernel answers the first one before anybody can have heard of the new mapping.
ok(client.ping(server, count=5, limit=3) >= 4, "the NAT has lost its table: the answer under way is lost at most")
ok(client.tcp_connect(server) is not None, "TCP goes on")
ports = {p.sport for p in wire.esp(gate, server, one_way=True)}
is_(len(ports), 2, f"the wire saw two ports: {ports}")
is_(wire.negotiations(gate, server), before, "nothing was negotiated anew")

# --- a second host behind the same address ------------------------------------------------------
start(second, server)
second.ping(server, count=2, limit=1)
refused = wait_for(lambda: [p for p in server.oectl("peers") if p["state"] == "refused"], 5)
is_([p["reason"] for p in refused],
    ["NAT between us and the peer: another host behind the same NAT has the tunnel"], "a second client is refused, and shown")
is_(client.ping(server, count=2, limit=3), 2, "the first one's tunnel stands")

# --- in front of the responder, and of both ----------------------------------------------------
front, public = wire.gateway("front"), wire.host("public", v6=False)
inner = front.hide("inner")
front.expose(inner)
start(inner, public)
start(public, front)
check("server behind", public, inner, public, front)

gate_a, gate_b = wire.gateway("gate-a"), wire.gateway("gate-b")
a, b = gate_a.hide("a"), gate_b.hide("b")
gate_b.expose(b)
start(a, gate_b)
start(b, gate_a)
check("both behind", a, b, gate_a, gate_b)

# --- anonymous ----------------------------------------------------------------------------------
gate_n, named = wire.gateway("gate-n"), wire.host("named", v6=False)
nobody = gate_n.hide("nobody")
start(nobody, named, auth="null")
start(named, gate_n, auth="null")
is_(nobody.ping(named, count=8, interval=0.5) > 0, True, "NULL behind a NAT: in the clear, as the group allows")
flow = nobody.peer(named)
ok("TS_UNACCEPTABLE: a NAT is between" in flow["reason"], f"and says why: {flow['reason']}")
refused = [p["reason"] for p in named.oectl("peers") if p["state"] == "refused"]
is_(refused, ["NAT between us and the peer: the peer is behind a NAT and anonymous"], "the other end too")
is_(len(wire.esp(gate_n, named)), 0, "no ESP")
