#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cached answer that needs no tunnel costs: oe-resolverd beside unbound and dnsmasq, asked by the
same program over loopback, in turns. Run by `make bench` (t/lab/run --no-esp bench/dns.py [COUNT])."""
import statistics

from box import *

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
ROUNDS = 5

UNBOUND = """server:
	interface: 127.0.0.54
	num-threads: 1
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	directory: ""
	pidfile: ""
	module-config: "iterator"
	msg-cache-size: 16m
	rrset-cache-size: 16m
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: 10.78.0.53
"""


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
    found = {"ours": ("127.0.0.53", box.start_ours())}
    if program("unbound"):
        box.host.write("/run/unbound.conf", UNBOUND)
        found["unbound"] = ("127.0.0.54", box.start("unbound", program("unbound"), "-d", "-c", "/run/unbound.conf"))
    if program("dnsmasq"):
        found["dnsmasq"] = ("127.0.0.55", box.start(
            "dnsmasq", program("dnsmasq"), "-k", "-C", "/dev/null", "-R", "-S", box.dns.v4, "-a", "127.0.0.55", "-z",
            "-c", "10000", "-u", "root", "-x", "", "-0", "10000"))
    return found


def measure(box, address, daemon, count, window):
    before = cpu_of(daemon)
    result = box.ask(address, count, window)
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


box = Box()
daemons = start_all(box)
for name, (address, _) in daemons.items():
    box.warm(name, address)
compare(box, daemons, "one at a time", COUNT // 4, 1)
compare(box, daemons, "64 at once", COUNT, 64)
