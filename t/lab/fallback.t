#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer has no daemon: who is let through in the clear, when, and who is not (A4, A5, N5)."""
from lab import *

wire = Wire()
a, p = wire.host("a"), wire.host("p")          # private-or-clear, private
refuser, silent = wire.host("refuser"), wire.host("silent")
dns = wire.dns_host({"refuser.example": refuser.v4, "silent.example": silent.v4})
for host in (refuser, silent):
    host.serve(7)
wire.silence_ike(silent)

a.oe(policies={"private-or-clear": "192.0.2.0/28"}, forward=dns, extra="retransmit-timeout=1200ms")
p.oe(policies={"private": "192.0.2.0/28"}, forward=dns, extra="retransmit-timeout=1200ms")



def asked(host, since=0.0):
    """How often it was sent an IKE_SA_INIT: at 0, 250 and 750 ms where nothing is heard (N4)."""
    return len([p for p in wire.ike(a, host, since=since) if p.exchange == "IKE_SA_INIT"])


def syns(host):
    """One when the first SYN was answered."""
    return len([p for p in wire.clear(a, host, one_way=True) if p.kind == "tcp" and "S" in p.detail])


# private-or-clear: ICMP says so
answer = a.dns("refuser.example")
is_(answer.addresses, [refuser.v4], f"private-or-clear, refused by ICMP: {answer}")
is_(asked(refuser), 2, "after one more try, not after retransmit-timeout (N5)")
ok(a.tcp_connect(refuser), "and the kernel lets a TCP connect through when the answer is there")
is_(syns(refuser), 1, "by its first SYN")
is_(a.ping(refuser), 1, "ping too")
ok(wire.clear(a, refuser), "in the clear")
is_(a.peer(refuser)["state"], "clear", "oectl peers says clear")
mark = wire.now()
again = a.dns("refuser.example")
is_((again.addresses, asked(refuser, mark)), ([refuser.v4], 0), f"the failure is remembered: {again}")

# private-or-clear: silence
answer = a.dns("silent.example")
is_(answer.addresses, [silent.v4], f"private-or-clear, a silent peer: {answer}")
is_(asked(silent), 3, "released after retransmit-timeout, not after dns-hold")
ok(a.tcp_connect(silent), "TCP connects")
is_(syns(silent), 1, "by its first SYN")

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
