#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten hosts with the very same files, each in its own group: every two talk encrypted, by name and by address."""
import itertools

from lab import *

COUNT = 10
POLICIES = {"private": "192.0.2.0/27\n2001:db8::/123"}

wire = Wire()
hosts = [wire.host(f"h{i}") for i in range(COUNT)]
dns = wire.dns_host({f"{host.name}.example": host for host in hosts})
for host in hosts:
    host.oe_configure(policies=POLICIES, forward=dns)
    host.oe_start(wait=False)
for host in hosts:
    ok(host.oe_daemon.wait_log("info: ready", 20), f"{host.name} is ready")
texts = {host.read("/etc/oe-resolverd/oe.conf") + host.read("/etc/oe-resolverd/policies/private") for host in hosts}
is_(len(texts), 1, "the files are the same on every host")

pairs = list(itertools.combinations(hosts, 2))
# Half of them by a lookup, the others by a packet to an address; both families.
for i, (a, b) in enumerate(pairs):
    if i % 2:
        a.dns(f"{b.name}.example", timeout=5)
bad = [f"{a.name}-{b.name}" for a, b in pairs if a.ping(b, count=2, interval=0.5, limit=4) == 0]
is_(bad, [], f"{len(pairs)} pairs reach each other by IPv4")
bad = [f"{a.name}-{b.name}" for a, b in pairs[::4] if a.ping(b.v6, count=2, interval=0.5, limit=4) == 0]
is_(bad, [], f"{len(pairs[::4])} of them by IPv6")
clear = [p for a, b in pairs for p in wire.clear(a, b)]
wire.show(clear)
is_(len(clear), 0, "nothing between any two of them in the clear")
is_(sorted({len(wire.esp(a, b)) > 0 for a, b in pairs}), [True], "ESP between every two")
is_([h.name for h in hosts if not h.ping(h)], [], "and each reaches itself")
restarted = hosts[3]
restarted.oe_daemon.kill()
restarted.oe_start()
bad = [h.name for h in hosts if h is not restarted and not wait_for(lambda h=h: restarted.ping(h, limit=0.5), 15)]
is_(bad, [], "a host that starts again reaches all the others")
is_(len([p for a, b in pairs for p in wire.clear(a, b)]), 0, "still nothing in the clear")

# --- a rolling reboot reaches one, while all the others go on asking for it -------------------------------------------
host = hosts[4]
others = [h for h in hosts if h is not host]
askers = [h.ping_start(host, count=4, interval=1.0, limit=0.2) for h in others]
is_(host.oe_daemon.stop(), 0, f"{host.name} stops")
host.reboot(lambda: host.oe_run("--closed"))
for asker in askers:
    asker.result()
host.oe_start()
since = time.monotonic()
reached = [h.spawn(lambda h=h: wait_for(lambda: h.ping(host, limit=0.3), 20) and time.monotonic() - since) for h in others]
took = [task.result(30) or 99 for task in reached]
ok(max(took) < 15, f"{host.name} has rebooted: the others reach it {min(took):.1f} to {max(took):.1f} s after it is back")
is_(len([p for h in others for p in wire.clear(host, h)]), 0, "nothing in the clear")
