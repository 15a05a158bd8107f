#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a handshake costs a whole daemon over real sockets: oe-resolverd beside strongSwan's charon, both as
responders to bench/initiate with the same algorithms, childless. Run by `make bench` (t/lab/run --no-esp bench/load.py [COUNT])."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "t/lab"))
from lab import *  # noqa: E402
from lab import state  # noqa: E402

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
WINDOW = 8

CERT_CONN = """conn private-or-clear
	left=%defaultroute
	right=%opportunisticgroup
	authby={method}
	leftid=%fromcert
	rightid=%fromcert
	leftcert={name}
	rightca=%any
	auto=ondemand
"""


class Pair:
    """Two hosts with a cable between them, and no tap: a capture would cost more than a handshake."""

    count = 0

    def __init__(self):
        Pair.count += 1
        self.v4, self.v6 = f"10.77.{Pair.count}.{{}}/24", None
        self.driver = Host(self, f"driver{Pair.count}", 1, v4=self.v4.format(1), v6=None)
        self.server = Host(self, f"server{Pair.count}", 2, v4=self.v4.format(2), v6=None)
        wire.place.ip(f"link add name d{Pair.count} type veth peer name s{Pair.count}",
                      f"link set dev d{Pair.count} netns {self.driver.name} name eth0",
                      f"link set dev s{Pair.count} netns {self.server.name} name eth0")
        self.driver.bring_up()
        self.server.bring_up()

    def initiate(self, count, *auth):
        # The initiators are other machines: their work must not stand in the way of ours.
        run = self.driver.run("nice", "-n", "19", state.builddir("bench/initiate"), self.driver.v4, self.server.v4, str(count),
                              str(WINDOW), *auth, limit=300)
        if run.returncode or run.stderr:
            diag(f"initiate: {run.stderr}")
        return json.loads(run.stdout)


def cpu_of(daemon):
    """CPU seconds of all threads."""
    folder = f"/proc/{daemon.process.pid}/task"
    total = 0
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def memory_of(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) * 1024


def measure(pair, daemon, auth):
    """CPU in microseconds and bytes for each handshake, and the driver's CPU."""
    pair.initiate(50, *auth)  # what is done once is done
    cpu, memory = cpu_of(daemon), memory_of(daemon)
    result = pair.initiate(COUNT, *auth)
    if result["failed"]:
        diag(f"{result['failed']} handshakes failed")
    done = max(result["up"], 1)
    return ((cpu_of(daemon) - cpu) / done * 1e6, (memory_of(daemon) - memory) / done,
            result["cpu"] / done * 1e6, result["up"])


def start_ours(pair, pki, method):
    host = pair.server
    if pki:
        host.import_p12(pki)
        host.oe(policies={"private-or-clear": f"{pair.driver.v4}/32"},
                conns=CERT_CONN.format(name=host.name, method=method))
    else:
        host.oe(policies={"private-or-clear": f"{pair.driver.v4}/32"}, auth="secret",
                secrets=SECRET)
    return host.oe_daemon


def start_charon(pair, pki, _method):
    host = pair.server
    local = {"auth": "pubkey", "certs": f"{host.name}.pem"} if pki else {"id": host.v4}
    remote = {"auth": "pubkey", "id": "%any"} if pki else {}
    return host.start_strongswan(swanctl_conf(swan_connection(
        unique="never", childless="force", child=False, local=local, remote=remote)), pki=pki, quiet=True)


def compare(kind):
    rows = {}
    for name, start in (("ours", start_ours), ("charon", start_charon)):
        pair = Pair()
        pki = None
        auth = ["psk"]
        if kind != "psk":
            pki = Pki(kind)
            pki.issue(pair.server.name)
            pki.issue(pair.driver.name)
            auth = ["cert", pki.path(f"{pair.driver.name}.pem"), pki.path(f"{pair.driver.name}.key"),
                    pki.path("ca.pem")]
        daemon = start(pair, pki, method_of(kind) if pki else None)
        rows[name] = measure(pair, daemon, auth)
        daemon.kill()
    ours, theirs = rows["ours"], rows["charon"]
    note(f"{kind:9} responder: ours {ours[0]:6.0f} us, charon {theirs[0]:6.0f} us, ratio {ours[0] / theirs[0]:.2f}; "
         f"our initiator {ours[2]:6.0f} us; memory an SA: ours {ours[1]:6.0f}, charon {theirs[1]:6.0f} bytes "
         f"({ours[3]} and {theirs[3]} came up)")
    ok(ours[3] == COUNT and theirs[3] == COUNT, f"{kind}: all handshakes of both")


wire = Wire()
for kind in ("psk", "ed25519", "ecdsa256", "rsa2048"):
    compare(kind)
