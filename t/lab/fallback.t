#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer has no daemon: who is let through in the clear, when, and who is not (A4, A5, N5)."""
from lab import *

HOLD_MS, RETRANSMIT_MS, SLACK_MS = 2000, 1200, 450

wire = Wire()
a, p = wire.host("a"), wire.host("p")          # private-or-clear, private
refuser, silent = wire.host("refuser"), wire.host("silent")
dns = wire.dns_host({"refuser.example": refuser.v4, "silent.example": silent.v4})
for host in (refuser, silent):
    host.serve(7)
wire.silence_ike(silent)

a.oe(policies={"private-or-clear": "192.0.2.0/28"}, forward=dns, extra="retransmit-timeout=1200ms")
p.oe(policies={"private": "192.0.2.0/28"}, forward=dns, extra="retransmit-timeout=1200ms")

# private-or-clear: ICMP says so
answer = a.dns("refuser.example")
is_(answer.addresses, [refuser.v4], f"private-or-clear, refused by ICMP: {answer}")
ok(answer.ms < 1100, "released quickly")
taken = a.tcp_connect(refuser)
ok(taken and taken < 300, f"and the kernel lets a TCP connect through when the answer is there ({taken} ms)")
is_(a.ping(refuser), 1, "ping too")
ok(wire.clear(a, refuser), "in the clear")
is_(a.peer(refuser)["state"], "clear", "oectl peers says clear")
again = a.dns("refuser.example")
ok(again.addresses == [refuser.v4] and again.ms < 100, f"the failure is remembered: {again}")

# private-or-clear: silence
answer = a.dns("silent.example")
is_(answer.addresses, [silent.v4], f"private-or-clear, a silent peer: {answer}")
limit = min(HOLD_MS, RETRANSMIT_MS)
ok(limit - SLACK_MS < answer.ms < limit + SLACK_MS, f"released after about {limit} ms")
taken = a.tcp_connect(silent)
ok(taken and taken < 300, f"TCP connects at once ({taken} ms)")

# private: nothing opens it
for host in (refuser, silent):
    answer = p.dns(f"{host.name}.example")
    is_((answer.rcode, answer.addresses), ("SERVFAIL", []), f"private, {host.name}: {answer}")
    ok(answer.ede and answer.ede[0] == 0 and host.v4 in answer.ede[1] and "private" in answer.ede[1],
       "the extended error names address, group and cause")
    is_(p.ping(host, limit=1), 0, "ping does not get through")
    is_(p.tcp_connect(host, limit=2), None, "TCP does not connect")
    p.udp_send(host, 7)
    is_(len(wire.clear(p, host, one_way=True)), 0, "nothing left in the clear")

# A host that comes to us is there: what its other lines remember of a failure ends (N6).
late, early = wire.host("late", v6=False), wire.host("early", v6=False)
late.serve(443)
early.oe(policies={"private-or-clear": f"{late.v4}\n{late.v4} tcp 0 443"}, extra="retransmit-timeout=400ms")
ok(early.tcp_connect(late, 443), "a host without a daemon: TCP connects")
ok(wire.clear(early, late), "in the clear")
late.oe(policies={"private-or-clear": early.v4})
is_(late.ping(early, limit=4), 1, "it gets one, and pings")
ok(wire.esp(early, late), "in a tunnel for the line of all")
mark = wire.now()
ok(early.tcp_connect(late, 443), "TCP connects, which another line is for")
is_(len(wire.clear(early, late, since=mark)), 0, "and not in the clear, though that has just failed")
is_(wire.capture.lost(), 0, "the capture lost nothing")
