#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm over a private pair: not one packet in the clear, whatever happens to either host.

t/lab/run leak [--seed N] [--events N] [--unguarded]

A seeded sequence of lookups, pings, connections, starts, stops, kill -9, reloads with changed
files, rekeys, lost IKE, addresses that come and go, reboots and jumps of the clock. After each event
that leaves both daemons running, traffic must flow again within RECOVERY seconds. Last, the
guard is switched off (what is private is opened when a daemon stops): then leaks must be seen.
With --unguarded it is off all the time.
"""
import argparse
import random

from lab import *

RECOVERY = 25.0
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--events", type=int, default=60)
parser.add_argument("--unguarded", action="store_true")
args = parser.parse_args()
dice = random.Random(args.seed)

wire = Wire()
a, b = wire.host("a"), wire.host("b")
dns = wire.dns_host({"a.example": a.v4, "b.example": b.v4})
PAIR = (a, b)
TIMERS = "dpddelay=2s\nretransmit-timeout=2s\nidle-timeout=3s"
SECRET = ': PSK "kept between two"\n'
extra_lines = {a: [], b: []}
addresses_now = {a: [], b: []}
guarded = not args.unguarded


def other(host):
    return b if host is a else a


def up(host):
    return bool(host.daemons) and getattr(host, "oe_daemon", None) is not None and host.oe_daemon.running


def weather(*matches):
    """What the wire loses from now on; rules would add up."""
    wire.lose("udp dport 65535")
    wire.lose_nothing()
    if matches:
        wire.lose(*matches)


def configure(host):
    host.oe_configure(policies={"private": ["192.0.2.0/28", *extra_lines[host]], "private-or-clear": ["198.51.100.0/24"], "clear": [dns.v4]},
                      forward=dns, auth="secret", secrets=SECRET, extra=TIMERS)


def stop_all(host):
    """What an unguarded host does: it opens all when its daemon is gone."""
    if not guarded:
        host.oe_run("--flush")


# --- events: each says what it did -------------------------------------------------------------

def lookup(host):
    if not up(host):
        return None
    return f"lookup: {host.dns(f'{other(host).name}.example', timeout=4)}"


def ping(host):
    return f"ping: {host.ping(other(host), limit=0.4)}"


def tcp(host):
    return f"tcp: {host.tcp_connect(other(host), limit=1.0)}"


def start(host):
    if up(host):
        return None
    host.oe_start()
    return "start"


def stop(host):
    if not up(host):
        return None
    status = host.oe_daemon.stop()
    stop_all(host)
    return f"stop: {status}"


def kill(host):
    if not up(host):
        return None
    host.oe_daemon.kill()
    if dice.random() < 0.5:
        host.oe_run("--release")
    stop_all(host)
    return "kill -9"


def reload(host):
    if not up(host):
        return None
    extra_lines[host] = dice.sample([f"{other(host).v4}/32", "192.0.2.128/25", "203.0.113.0/24", "192.0.2.0/24"],
                                    dice.randrange(3))
    configure(host)
    run = host.oectl_run("reload")
    return f"reload with {extra_lines[host]}: {run.returncode} {run.stderr.strip()}"


def broken_reload(host):
    if not up(host):
        return None
    host.write("/etc/oe-resolverd/policies/private", "nonsense here\n")
    run = host.oectl_run("reload")
    configure(host)
    return f"reload of a broken file: {run.returncode}"


def lose_ike(host):
    percent = dice.choice((10, 20, 30))
    weather(f'oifname "{host.name}" udp dport 500 numgen random mod 100 < {percent}')
    return f"IKE loss {percent} %"


def down(host):
    if not up(host):
        return None
    return f"oectl down: {host.oectl_run('down', str(other(host))).returncode}"


def rekey(host):
    """Either end, or both at once."""
    if not up(host):
        return None
    runs = [host.oectl_run("rekey", str(other(host)))]
    if up(other(host)) and dice.random() < 0.3:
        runs.append(other(host).oectl_run("rekey", str(host)))
    return f"oectl rekey: {', '.join(run.stdout.strip() for run in runs)}"


def address(host):
    if addresses_now[host]:
        host.ip(f"address del {addresses_now[host].pop()}/24 dev eth0")
        return "an address goes"
    new = f"192.0.2.{host.number + 8}"
    host.ip(f"address add {new}/24 dev eth0")
    addresses_now[host].append(new)
    if new not in host.addresses:
        host.addresses.append(new)
    host.call(send_from, new, str(other(host)))
    return f"an address comes: {new}"


def send_from(source, to):
    """At once, from the new address: there is no moment of cleartext."""
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((source, 0))
            sock.sendto(b"x", (to, 9))
        except OSError:
            pass


def reboot(host):
    """The kernel knows nothing; what is closed is closed before there is a link."""
    host.reboot(lambda: host.oe_run("--closed") if guarded else None)
    addresses_now[host].clear()
    ping(host)
    ping(other(host))
    host.serve()
    host.oe_start()
    return "reboot"


def clock(host):
    import time
    jump = dice.choice((-600, 3600, 86400))
    time.clock_settime(time.CLOCK_REALTIME, time.time() + jump)
    return f"the clock jumps {jump} s"


EVENTS = [(lookup, 5), (ping, 6), (tcp, 6), (start, 6), (stop, 2), (kill, 2), (reload, 4), (broken_reload, 1),
          (lose_ike, 2), (down, 2), (rekey, 3), (address, 3), (reboot, 2), (clock, 1)]


def one_event():
    while True:
        function = dice.choices([e for e, _ in EVENTS], [w for _, w in EVENTS])[0]
        host = dice.choice(PAIR)
        said = function(host)
        if said is not None:
            return f"{host.name}: {said}"


def flows(source):
    return source.ping(other(source), limit=0.5) == 1


def recovered():
    """From either side, as an application that tries again does."""
    return wait_for(lambda: flows(a) and flows(b), RECOVERY, 0.2)


def storm(events):
    recoveries = []
    for number in range(events):
        said = one_event()
        if up(a) and up(b):
            began = time.monotonic()
            good = recovered()
            recoveries.append(time.monotonic() - began)
            note(f"{number + 1:3} {said} ({recoveries[-1]:.1f} s)")
            if not good:
                fail(f"event {number + 1}: {said}: traffic flows again within {RECOVERY:.0f} s")
                return recoveries
        else:
            note(f"{number + 1:3} {said}")
            ping(a), ping(b)
        if dice.random() < 0.3:
            weather()
    for host in PAIR:
        start(host)
    began = time.monotonic()
    if not recovered():
        fail(f"after the storm: traffic flows again within {RECOVERY:.0f} s")
    return recoveries + [time.monotonic() - began]


for host in PAIR:
    host.serve()
    configure(host)
    host.oe_run("--closed")
    host.oe_start()
times = storm(args.events)
leaks = wire.clear(a, b)
if args.unguarded:
    ok(leaks, f"with the guard switched off all the time: {len(leaks)} leaks in {args.events} events, seed {args.seed}")
else:
    wire.show(leaks)
    is_(len(leaks), 0, f"nothing in the clear in {args.events} events, seed {args.seed}")
ok(times and max(times) <= RECOVERY, f"traffic flowed again each time, after {max(times):.1f} s at most")

guarded = False
weather()
for host in PAIR:
    if up(host):
        host.oe_daemon.stop()
    stop_all(host)
for _ in range(3):
    ping(a), ping(b)
opened = len(wire.clear(a, b)) - len(leaks)
ok(opened > 0, f"with the guard switched off there are leaks: {opened}")
conclude(f"leak: {len(leaks)} cleartext packets in {args.events} events, seed {args.seed}")
