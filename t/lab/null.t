#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: a lookup is answered after the tunnel stands, and ESP from the first packet."""
import glob
import re

from lab import *

LINES = "192.0.2.0/28\n2001:db8::/124"

wire = Wire()
a, b, c, d = (wire.host(name) for name in "abcd")
dns = wire.dns_host({"b4.example": b.v4, "b6.example": b.v6, "d.example": d, "nobody.example": "192.0.2.77"})
for group, hosts in (("private-or-clear", (a, b)), ("private", (c, d))):
    for host in hosts:
        host.oe(policies={group: LINES}, forward=dns)
        host.serve(7)


def released_after_sas(host, name, peer, answer):
    """The answer came after the responder's IKE_AUTH, and the kernel has the pair."""
    auth = [p for p in wire.ike(host, peer) if p.exchange == "IKE_AUTH" and p.response]
    ok(auth and host.has_sa(peer, limit=0), f"{name}: SAs stand when the answer is there")
    return auth and answer


# private-or-clear, IPv4 then IPv6
for name, kind, address in (("b4.example", "A", b.v4), ("b6.example", "AAAA", b.v6)):
    answer = a.dns(name, kind)
    is_((answer.rcode, answer.addresses), ("NOERROR", [address]), f"{name} is answered: {answer}")
    released_after_sas(a, name, b, answer)
    mark = wire.now()
    is_(a.ping(address), 1, "ping is answered")
    ok(a.tcp_connect(address), "TCP connects")
    packets = wire.seen([a.v4 if kind == "A" else a.v6], [address], since=mark)
    packets = [p for p in packets if p.kind != "nd"]
    is_(packets[0].kind if packets else None, "esp", "the first packet after the answer is ESP")
    is_({p.src for p in wire.esp(a, b, since=mark)} >= {address}, True, "and so are those that come back")

is_(len(wire.clear(a, b)), 0, "no cleartext between the two, ever")
is_(len(wire.negotiations(a, b)), 2, "one negotiation for each address")
mark = wire.now()
again = a.dns("b4.example")
is_((again.addresses, len(wire.ike(a, b, since=mark))), ([b.v4], 0), f"a second lookup costs nothing: {again}")

flow = a.peer(b)
is_((flow["state"], flow["group"], flow["trigger"]), ("tunnelled", "private-or-clear", "dns"), "oectl peers says so")
is_(b.peer(a)["trigger"], "inbound", "and the other side says inbound")
what = " ".join(event["what"] for event in a.oectl("trace", "b4.example")["events"])
ok(what, f"oectl trace has a timeline: {what}")
status = a.oectl("status")
ok(all(key in status for key in ("version", "uptime_s", "peers", "negotiations", "queries", "degraded"))
   and status["degraded"] is False, "oectl status has what scripts lean on")


def fields(value):
    """The names of all fields in a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set(value if isinstance(value, dict) else ()).union(*map(fields, inner))


shown = fields([status, a.oectl("peers"), a.oectl("trace", "b4.example"), a.oectl("version")])
ok(len(shown) > 50, f"oectl shows {len(shown)} fields")
manual = set(re.findall(r"\w+", open(state.job["srcdir"] + "/doc/oectl.8", encoding="utf-8").read()))
is_(sorted(shown - manual), [], "which oectl(8) has, all of them")

capabilities = [re.findall("Cap(?:Prm|Eff):\t0*(\\w*)\n|NoNewPrivs:\t(.)", a.read(f"{task}/status"))
                for task in glob.glob(f"/proc/{a.daemons[0].process.pid}/task/*")]
ok(len(capabilities) > 1 and all(c == [("1000", ""), ("1000", ""), ("", "1")] for c in capabilities),
   f"every thread has CAP_NET_ADMIN alone: {capabilities}")

# private
answer = c.dns("d.example")
is_((answer.rcode, answer.addresses), ("NOERROR", [d.v4]), f"private: answered: {answer}")
mark = wire.now()
is_(c.ping(d), 1, "private: ping is answered")
ok(c.tcp_connect(d), "private: TCP connects")
ok(wire.esp(c, d, since=mark), "private: as ESP")
is_(len(wire.clear(c, d)), 0, "private: no cleartext, ever")
is_(c.peer(d)["state"], "tunnelled", "private: tunnelled")
is_(c.dns("nobody.example").addresses, ["192.0.2.77"], "an address that no line covers is answered at once")
is_(len(wire.ike(c, "192.0.2.77")), 0, "and nobody negotiates with it")
is_(wire.capture.lost(), 0, "the capture lost nothing")
