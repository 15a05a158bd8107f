#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's acquire: no lookup, no lost packet; and triggers that meet."""
from lab import *

LINES = {"private-or-clear": "192.0.2.0/28"}

wire = Wire()
a, b, c, d, e, f = (wire.host(name) for name in "abcdef")
dns = wire.dns_host({f"{h.name}.example": h.v4 for h in (a, b, c, d, e, f)})
for host in (a, b, c, d, e, f):
    host.oe(policies=LINES, forward=dns)
    host.serve(7)


def negotiation_ms(one, other):
    """From the first IKE_SA_INIT to the last IKE_AUTH, as the wire saw it."""
    ike = [p for p in wire.ike(one, other) if p.exchange in ("IKE_SA_INIT", "IKE_AUTH")]
    return (ike[-1].time - ike[0].time) * 1000 if ike else 0.0


is_(a.ping(b), 1, "one ping to a hard-coded address is answered: the first packet was kept")
is_(len(wire.clear(a, b)), 0, "and nothing went in the clear")
is_((a.peer(b)["state"], a.peer(b)["trigger"]), ("tunnelled", "acquire"), "by an acquire")

taken = a.tcp_connect(c)
ok(taken is not None, "TCP connects to a hard-coded address")
note(f"TCP connect took {taken or -1:.1f} ms, the negotiation {negotiation_ms(a, c):.1f} ms")
is_(a.netstat("TCPSynRetrans"), 0, "by its first SYN, which was kept")
is_(len(wire.clear(a, c)), 0, "and nothing went in the clear")

# A lookup and an acquire at the same time
lookup = a.dns_start("d.example")
connect = a.tcp_connect_start(d)
answer, taken = lookup.result(), connect.result()
is_(answer.addresses, [d.v4], f"lookup beside an acquire: {answer}")
ok(taken is not None, f"the acquire's connect succeeds as well ({taken} ms)")
is_(len(wire.negotiations(a, d)), 1, "with one negotiation")
is_(len(wire.clear(a, d)), 0, "nothing in the clear")

# Both hosts at once, on a wire slow enough that the requests cross
wire.delay(e, 20)
wire.delay(f, 20)
tasks = [e.dns_start("f.example"), f.dns_start("e.example"),
         e.ping_start(f, 4, interval=0.5), f.ping_start(e, 4, interval=0.5)]
results = [task.result() for task in tasks]
is_([r.addresses for r in results[:2]], [[f.v4], [e.v4]], f"both at once: {results[0]}; {results[1]}")
# Nobody sends on a pair that the other has not installed yet, whichever comes first.
is_(results[2:], [4, 4], "both sides' pings are answered, the first ones too")
time.sleep(2)
is_((e.ping(f, count=3), f.ping(e, count=3)), (3, 3), "and traffic works after the collision settled")
ok(e.tcp_connect(f) and f.tcp_connect(e), "TCP too, both ways")
is_(len(wire.clear(e, f)), 0, "nothing in the clear")
states = [(h.peer(o)["state"]) for h, o in ((e, f), (f, e))]
is_(states, ["tunnelled", "tunnelled"], "both say tunnelled")
is_(wire.capture.lost(), 0, "the capture lost nothing")
