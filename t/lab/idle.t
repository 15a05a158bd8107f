#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A tunnel that nobody uses goes quietly, back to the trap (K8); one in use stays; nothing is in the clear."""
from lab import *

wire = Wire()
a, b, c, d = (wire.host(name, v6=False) for name in "abcd")
dns = wire.dns_host({"b.example": b, "d.example": d})
for host, peer, timeout in ((a, b, "2s"), (b, a, "1h"), (c, d, "2s"), (d, c, "0")):
    host.serve()
    host.oe(policies={"private": f"{peer.v4}/32"}, forward=dns, extra=f"idle-timeout={timeout}")

answer = a.dns("b.example")
ok(answer.addresses == [b.v4] and a.has_sa(b), f"a tunnel: {answer}")
ok(all(ttl <= 2 for _, _, ttl, _ in answer.records), f"its answer lives as long at most: {answer.records}")
c.ping(d)
mark = wire.now()
# Eight seconds of traffic in one direction, and of none between a and b.
used = c.spawn(lambda: [(c.udp_send(d, 9), time.sleep(0.3)) for _ in range(26)])
ok(wait_for(lambda: not a.peer(b) or a.peer(b)["state"] == "idle", 6), "without use it is closed")
ok(wait_for(lambda: not b.peer(a) or b.peer(a)["state"] == "idle", 2), "the other end is told")
ok("tunnel down: idle" in a.oe_daemon.text(), "the log says why")
ok(not a.has_sa(b, limit=0.2) and not b.has_sa(a, limit=0.2), "no SA is left on either end")
ok("tmpl src 0.0.0.0 dst 0.0.0.0" in a.xfrm_policies(), "the trap is back")

ms = a.tcp_connect(b)
ok(ms is not None, f"the next packet brings up another one: connected after {ms and round(ms)} ms")
flow = a.peer(b)
ok(flow["state"] == "tunnelled" and flow["out_packets"] >= 3 and flow["in_bytes"] > 100,
   f"oectl counts: {flow.get('out_packets')} packets out, {flow.get('in_bytes')} bytes in")
used.result()
is_(c.peer(d)["state"], "tunnelled", "one that is used in one direction stays")
is_(len(wire.negotiations(c, d)), 1, "and was never renewed")
is_(len(wire.clear(a, b) + wire.clear(c, d)), 0, "nothing in the clear")
