#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A container behind its host's masquerading (K7): it reaches a peer through the host's tunnel, begins one by its
first packet, and never gets past a closed line, not even while nobody negotiates."""
from lab import *

wire = Wire()
host, peer, dead = wire.gateway("host"), wire.host("peer", v6=False), wire.host("dead", v6=False)
container = host.hide("container")
peer.serve()
host.oe(policies={"private": f"{peer.v4}/32\n{dead.v4}/32"}, setup="masqueraded=10.0.1.0/24")
peer.oe(policies={"private": f"{host.v4}/32"})

taken = container.tcp_connect(peer)
ok(taken is not None, f"its first packet brings the tunnel up: connected after {taken and round(taken)} ms")
unsaid = wire.gateway("unsaid")
other = unsaid.hide("other")
unsaid.oe(policies={"private": f"{peer.v4}/32"})
is_(other.ping(peer, count=2, limit=1), 0, "without masqueraded= a closed group is closed to it")
is_(len(wire.clear(unsaid, peer)), 0, "and nothing in the clear")

is_(host.peer(peer)["state"], "tunnelled", "oectl on the host")
is_(container.ping(peer, count=5, limit=3), 5, "pings")
is_({p.src for p in wire.esp(host, peer)}, {host.v4, peer.v4}, "ESP between host and peer")
is_(len(wire.clear(host, peer)), 0, "nothing in the clear")

is_(container.ping(dead, count=3, limit=2), 0, "a private peer that is silent is not reached")
container.udp_send(dead, 9)
is_(len(wire.clear(host, dead)), 0, "and nothing of it in the clear")

host.oe_daemon.kill()
peer.oe_daemon.kill()
host.run("ip", "xfrm", "state", "flush")
is_(container.ping(peer, count=3, limit=2), 0, "without a daemon and SAs")
is_(len(wire.clear(host, peer)), 0, "nothing in the clear either")
host.oe_start()
peer.oe_start()
ok(wait_for(lambda: container.ping(peer, limit=1), 15, 0.2), "with them again it is there again")
is_(len(wire.clear(host, peer)), 0, "encrypted")
