#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is asked whether it lives, and who is not (N7); a dead daemon takes nobody offline (K6)."""
import signal

from lab import *

DELAY, TIMEOUT = 3, 2
LONG = DELAY + TIMEOUT + 5

wire = Wire()
a, b, c, d = (wire.host(name, v6=False) for name in "abcd")
for host, peer in ((a, b), (b, a), (c, d), (d, c)):
    host.oe(policies={"private": f"{peer.v4}/32"}, extra=f"dpddelay={DELAY}s\nretransmit-timeout={TIMEOUT}s")
ok(a.ping(b, limit=4) and c.ping(d, limit=4), "two tunnels")
quiet = wire.now()


def carries(label, mark):
    """Traffic for longer than a dead peer would have lasted."""
    count = LONG * 5
    is_(a.ping(b, count=count, interval=0.2), count, f"{label}: not one of {count} packets is lost")
    is_(len(wire.negotiations(a, b, since=mark)), 0, f"{label}: no negotiation was needed")


mark = wire.now()
b.oe_daemon.signal(signal.SIGSTOP)
carries("a daemon that does nothing", mark)
is_(len(wire.ike(a, b, since=mark)), 0, "nor was it asked: its kernel answers for it")
b.oe_daemon.signal(signal.SIGCONT)
mark = wire.now()
wire.silence_ike(b)
carries("IKE is lost on the way", mark)
wire.lose_nothing()
is_(len(wire.ike(c, d, since=quiet)), 0, "two that keep quiet are not asked either")

mark = wire.now()
wire.cut(b)
sender = a.ping_start(b, count=LONG * 5, interval=0.2)
ok(a.oe_daemon.wait_log("tunnel down: dead peer", 3 * LONG), "a host that is gone is found, while we send")
note(f"after {wire.now() - mark:.1f} s, of {DELAY + TIMEOUT} at most by the rule")
is_(sender.result(), 0, "nobody has answered")
wire.mend(b)
ok(wait_for(lambda: a.ping(b, limit=0.5), 15), "when it is back there is a tunnel again")
is_(len(wire.clear(a, b) + wire.clear(c, d)), 0, "nothing in the clear")
