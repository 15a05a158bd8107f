#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cached answer that needs no tunnel costs: oe-resolverd beside unbound and dnsmasq, asked by the
same program over loopback, in turns. Then what cached answers feel of a thousand RSA handshakes that
oe-resolverd answers meanwhile: its own, and those of the others, which have nothing to do with them.
Run by `make bench` (t/lab/run --no-esp bench/dns.py [COUNT])."""
import json
import os
import signal
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "t/lab"))
from lab import *  # noqa: E402
from lab import state  # noqa: E402
from lab.peers import group_conn  # noqa: E402

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
NAMES, ROUNDS = 1000, 5
UPSTREAM = "10.78.0.53"
FIRST, LAST = -15, 19

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


def thread_of(daemon):
    """(seconds on a CPU, seconds waiting for one, turns) of the thread that answers."""
    with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/schedstat", encoding="ascii") as file:
        run, wait, turns = map(int, file.read().split())
    return run / 1e9, wait / 1e9, turns


def set_share(process, nice):
    """Of a session: sched(7), the autogroup feature. What stands for other machines gets what is left, and
    what is measured comes before whatever else this machine does."""
    try:
        with open(f"/proc/{process.pid}/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
    except OSError:
        pass  # a kernel without


def start_all(box):
    """{name: (address, daemon)}"""
    host = box.host
    host.import_p12(pki)
    host.oe(policies={"private": "192.0.2.0/24\n2001:db8::/64", "clear-or-private": f"{box.dns.v4}/32"}, forward=UPSTREAM,
            conns=group_conn("private") + example("server-half", NAME=host.name))
    found = {"ours": ("127.0.0.53", host.oe_daemon)}
    if program("unbound"):
        host.write("/run/unbound.conf", UNBOUND)
        found["unbound"] = ("127.0.0.54", host.start("unbound", program("unbound"), "-d", "-c", "/run/unbound.conf"))
    if program("dnsmasq"):
        found["dnsmasq"] = ("127.0.0.55", host.start(
            "dnsmasq", program("dnsmasq"), "-k", "-C", "/dev/null", "-R", "-S", UPSTREAM, "-a", "127.0.0.55", "-z",
            "-c", "10000", "-u", "root", "-x", "", "-0", "10000"))
    for _, daemon in found.values():
        set_share(daemon.process, FIRST)
    return found


def asker_start(box, address, count, window, pause_us):
    asker = box.host.call(subprocess.Popen, [state.builddir("bench/ask"), address, str(count), str(window), str(NAMES),
                                             str(pause_us)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    set_share(asker, FIRST)
    return asker


def ask(box, address, count, window):
    return json.loads(asker_start(box, address, count, window, 0).communicate()[0])


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


# --- beside RSA ----------------------------------------------------------------------------------------

def ask_all(box, daemons, work):
    """work() with questions to all resolvers beside it, one at a time and half a millisecond apart:
    {name: result}, and what work gave."""
    askers = {name: asker_start(box, address, 1000000, 1, 500) for name, (address, _) in daemons.items()}
    done = work()
    for asker in askers.values():
        asker.send_signal(signal.SIGTERM)
    return {name: json.loads(asker.communicate()[0]) for name, asker in askers.items()}, done


def initiate(box, count, ca):
    """Initiators that are nobody: all signatures are the responder's."""
    swarm = box.dns.call(subprocess.Popen, [state.builddir("bench/initiate"), box.dns.v4, box.host.v4, str(count), "8",
                                            "null", ca], stdout=subprocess.PIPE, text=True, start_new_session=True)
    set_share(swarm, LAST)
    return json.loads(swarm.communicate()[0])


def beside_rsa(box, daemons, pki):
    idle, _ = ask_all(box, daemons, lambda: time.sleep(3))
    before = {name: thread_of(daemon) for name, (_, daemon) in daemons.items()}
    busy, result = ask_all(box, daemons, lambda: initiate(box, 1000, pki.path("ca.pem")))
    for name, (_, daemon) in daemons.items():
        run, wait, turns = (now - then for now, then in zip(thread_of(daemon), before[name]))
        note(f"the thread of {name}: {run:.2f} s on a CPU, {wait:.2f} s waiting for one, {turns} turns")
        note(f"beside 1000 RSA-2048 handshakes in {result['seconds']:.1f} s, {name:8}: p50 {idle[name]['p50_us']:6.1f} -> "
             f"{busy[name]['p50_us']:6.1f} us, p99 {idle[name]['p99_us']:7.1f} -> {busy[name]['p99_us']:7.1f} us")
    is_(result["up"], 1000, "all of the RSA handshakes")


wire = Wire()
box = Box()
pki = Pki("rsa2048")
pki.issue(box.host.name)
box.dns.start_nsd({f"h{number}.bench.example": f"198.18.{number // 250}.{number % 250 + 1}" for number in range(NAMES)})
daemons = start_all(box)
for name, (address, _) in daemons.items():
    ok(wait_for(lambda at=address: ask(box, at, 1, 1)["answered"], 10), f"{name} answers")
    ask(box, address, NAMES * 2, 8)  # now everything is cached
compare(box, daemons, "one at a time", COUNT // 4, 1)
compare(box, daemons, "64 at once", COUNT, 64)
beside_rsa(box, daemons, pki)
