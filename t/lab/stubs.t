#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The stub resolvers of the C libraries before us: a program connects though one family of a name is
dead, with glibc and with musl, and before that is known (A3, A5); and what of the host's own files goes around us is told (A11)."""
import os
import subprocess

from lab import *
from lab import state

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connect.c")
COMPILERS = {"glibc": ["gcc", "-O2"], "musl": ["musl-gcc", "-static", "-O2"]}
LINES = "192.0.2.0/28\n192.0.2.200\n2001:db8::/64\n"
# Nobody's: no ICMP speaks for them.
NOBODY4, NOBODY6 = "192.0.2.200", "2001:db8::dead"

wire = Wire()
peer = wire.host("peer")
bare = wire.host("bare")  # has no IKE
hosts = {group: wire.host(name) for name, group in (("must", "private"), ("should", "private-or-clear"))}
dns = wire.dns_host({"dead6.example": [peer.v4, NOBODY6], "dead4.example": [NOBODY4, peer.v6],
                     "bare6.example": [peer.v4, bare.v6], "bare4.example": [bare.v4, peer.v6],
                     "dead.example": [NOBODY4, NOBODY6], "only4.example": peer.v4, "only6.example": peer.v6})
for host in (peer, bare):
    host.serve(7)
peer.oe(policies={"private-or-clear": LINES}, forward=dns)

for library, compiler in COMPILERS.items():
    run = subprocess.run(compiler + ["-Wall", "-o", state.out(f"connect-{library}"), SOURCE],
                         check=False, capture_output=True, text=True)
    is_((run.returncode, run.stderr), (0, ""), f"{library}: the program is built")


def connect(host, library, name):
    """(address or error, milliseconds)"""
    run = host.run(state.out(f"connect-{library}"), name, "7")
    what, _, ms = run.stdout.strip().rpartition(" ")
    return what, int(ms or -1)


for group, host in hosts.items():
    for library in COMPILERS:
        # Nothing is known from the library before.
        daemon = host.oe(policies={group: LINES}, forward=dns,
                         extra="retransmit-timeout=1500ms")
        for name, wanted in (("only4", peer.v4), ("only6", peer.v6), ("dead6", peer.v4), ("dead4", peer.v6),
                             ("bare6", peer.v4), ("bare4", peer.v6)):
            dead = {"dead4": "A", "dead6": "AAAA"}.get(name)
            # Asked for alone, the dead family is held until it is decided.
            alone = dead and host.dns_start(f"{name}.example", dead)
            found, ms = connect(host, library, f"{name}.example")
            if alone:
                ok(not alone.done, f"{group}, {library}: {name}.example connects before {dead} is decided")
                alone.result()
            # Who may go in the clear reaches the host without IKE that way.
            either = (wanted, bare.v4, bare.v6) if group != "private" and name.startswith("bare") else (wanted,)
            ok(found in either, f"{group}, {library}: {name}.example connects ({found} after {ms} ms)")
        if group == "private":
            found, ms = connect(host, library, "dead.example")
            ok(found.startswith("lookup: "), f"{group}, {library}: both dead is an error ({found} after {ms} ms)")
            for other in (peer, bare):
                is_(len(wire.clear(host, other, one_way=True)), 0,
                    f"{group}, {library}: nothing to {other.name} in the clear")
        daemon.stop()

# A11
host = hosts["private-or-clear"]
daemon = host.oe(policies={"private-or-clear": LINES}, forward=dns)
is_(host.oectl("status")["warnings"], [], "a host whose files are right: no warnings")
host.write("/etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 192.0.2.53\n")
host.write("/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n")
warnings = host.oectl("status")["warnings"]
ok(len(warnings) == 2 and "/etc/resolv.conf:2" in warnings[0] and "/etc/nsswitch.conf:1" in warnings[1],
   f"a second nameserver and resolve are told: {warnings}")
daemon.hup()
ok(daemon.wait_log(r"warning: /etc/resolv\.conf:2: nameserver 192\.0\.2\.53"), "and in the log of a reload")
daemon.stop()
host.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
taken = host.start("python", "python3", "-c",
                   "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                   "s.bind(('127.0.0.53', 53)); print('bound', flush=True); time.sleep(300)")
taken.wait_log("bound")
daemon = host.oe_start(wait=False)
ok(daemon.wait_log(r"127\.0\.0\.53:53: Address already in use; held by python3 \(pid \d+.*\)\. .*dns-listen="),
   "127.0.0.53 taken: by whom, and what helps")
is_(wire.capture.lost(), 0, "the capture lost nothing")
