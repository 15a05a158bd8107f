#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cached answer that needs no tunnel costs: oe-resolverd beside unbound and dnsmasq, asked by the
same program over loopback, in turns. Run by `make bench` (t/lab/run --no-esp bench/dns.py [COUNT])."""
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "t/lab"))
from lab import *  # noqa: E402
from lab import state  # noqa: E402

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
NAMES, ROUNDS = 1000, 5
UPSTREAM = "10.78.0.53"

UNBOUND = f"""server:
	interface: 127.0.0.54
	num-threads: 1
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	pidfile: ""
	module-config: "iterator"
	msg-cache-size: 16m
	rrset-cache-size: 16m
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: {UPSTREAM}
"""


class Box:
    """One host with the resolvers and who asks them; a cable to the server of the zone, and no tap."""

    def __init__(self):
        self.v4, self.v6 = "10.78.0.{}/24", None
        self.host = Host(self, "box", 1, v4=self.v4.format(1), v6=None)
        self.dns = Host(self, "dns", 53, v4=self.v4.format(53), v6=None)
        wire.place.ip("link add name box type veth peer name dns", f"link set dev box netns {self.host.name} name eth0",
                      f"link set dev dns netns {self.dns.name} name eth0")
        for host in (self.host, self.dns):
            host.bring_up()


def program(name):
    """As unpacked for this bench, or as installed; None when it is neither."""
    for path in (state.builddir(f"bench/resolvers/usr/sbin/{name}"), f"/usr/sbin/{name}"):
        if os.access(path, os.X_OK):
            return path
    return None


def cpu_of(daemon):
    """CPU seconds of all threads."""
    folder = f"/proc/{daemon.process.pid}/task"
    total = 0
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def start_all(box):
    """{name: (address, daemon)}"""
    host = box.host
    host.oe(policies={"private": "192.0.2.0/24\n2001:db8::/64", "private-or-clear": "10.99.0.0/16"}, forward=UPSTREAM)
    found = {"ours": ("127.0.0.53", host.oe_daemon)}
    if program("unbound"):
        host.write("/run/unbound.conf", UNBOUND)
        found["unbound"] = ("127.0.0.54", host.start("unbound", program("unbound"), "-d", "-c", "/run/unbound.conf"))
    if program("dnsmasq"):
        found["dnsmasq"] = ("127.0.0.55", host.start(
            "dnsmasq", program("dnsmasq"), "-k", "-C", "/dev/null", "-R", "-S", UPSTREAM, "-a", "127.0.0.55", "-z",
            "-c", "10000", "-u", "root", "-x", "", "-0", "10000"))
    return found


def ask(box, address, count, window):
    run = box.host.run(state.builddir("bench/ask"), address, str(count), str(window), str(NAMES), limit=120)
    return json.loads(run.stdout)


def measure(box, address, daemon, count, window):
    before = cpu_of(daemon)
    result = ask(box, address, count, window)
    result["cpu_us"] = (cpu_of(daemon) - before) / max(result["answered"], 1) * 1e6
    return result


def compare(box, daemons, title, count, window):
    results = {name: [] for name in daemons}
    for _ in range(ROUNDS):
        for name, (address, daemon) in daemons.items():
            results[name].append(measure(box, address, daemon, count, window))
    for name, rows in results.items():
        is_(min(row["answered"] for row in rows), count, f"{title}, {name}: all were answered")
    middle = {name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
              for name, rows in results.items()}
    for name, row in middle.items():
        ratio = "" if name == "ours" else f", ours/{name} {middle['ours']['cpu_us'] / row['cpu_us']:.2f}"
        note(f"{title}, {name:8}: CPU {row['cpu_us']:5.2f} us a query, p50 {row['p50_us']:7.1f} us, "
             f"p99 {row['p99_us']:7.1f} us, {row['answered'] / row['seconds']:7.0f} a second{ratio}")


wire = Wire()
box = Box()
box.dns.start_nsd({f"h{number}.bench.example": f"198.18.{number // 250}.{number % 250 + 1}" for number in range(NAMES)})
daemons = start_all(box)
for name, (address, _) in daemons.items():
    ok(wait_for(lambda at=address: ask(box, at, 1, 1)["answered"], 10), f"{name} answers")
    ask(box, address, NAMES * 2, 8)  # now everything is cached
compare(box, daemons, "one at a time", COUNT // 4, 1)
compare(box, daemons, "64 at once", COUNT, 64)
