# SPDX-License-Identifier: GPL-2.0-or-later
"""One host with resolvers and who asks them, for dns.py and beside.py: a cable to the server of the zone, and no tap."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "t/lab"))
from lab import *  # noqa: E402
from lab import state  # noqa: E402
from lab.peers import group_conn  # noqa: E402

NAMES = 1000
FIRST, LAST = -15, 19


def set_share(process, nice):
    """Of a session: sched(7), the autogroup feature. What stands for other machines gets what is left, and
    what is measured comes before whatever else this machine does."""
    try:
        with open(f"/proc/{process.pid}/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
    except OSError:
        pass  # a kernel without


def result(process):
    """What a program of start_program() says at its end."""
    return json.loads(process.communicate()[0])


class Box:
    """oe-resolverd on 127.0.0.53 and whoever else; all names that are asked for come into their caches by warm()."""

    def __init__(self):
        self.wire = Wire()
        self.v4, self.v6 = "10.78.0.{}/24", None
        self.host = Host(self, "box", 1, v4=self.v4.format(1), v6=None)
        self.dns = Host(self, "dns", 53, v4=self.v4.format(53), v6=None)
        self.wire.place.ip("link add name box type veth peer name dns", f"link set dev box netns {self.host.name} name eth0",
                           f"link set dev dns netns {self.dns.name} name eth0")
        for host in (self.host, self.dns):
            host.bring_up()
        self.dns.start_nsd({f"h{number}.bench.example": f"198.18.{number // 250}.{number % 250 + 1}"
                            for number in range(NAMES)})
        self.pki = Pki("rsa2048")
        self.pki.issue(self.host.name)

    def start_ours(self):
        self.host.import_p12(self.pki)
        self.host.oe(policies={"private": "192.0.2.0/24\n2001:db8::/64", "clear-or-private": f"{self.dns.v4}/32"},
                     forward=self.dns.v4, conns=group_conn("private") + example("server-half", NAME=self.host.name))
        set_share(self.host.oe_daemon.process, FIRST)
        return self.host.oe_daemon

    def start(self, name, *argv):
        daemon = self.host.start(name, *argv)
        set_share(daemon.process, FIRST)
        return daemon

    def start_program(self, host, share, program, *args):
        """One of ours that ends by itself, in a session of its own."""
        process = host.call(subprocess.Popen, [state.builddir(program), *map(str, args)], stdout=subprocess.PIPE,
                            text=True, start_new_session=True)
        set_share(process, share)
        return process

    def ask_start(self, address, count, window, pause_us=0):
        return self.start_program(self.host, FIRST, "bench/ask", address, count, window, NAMES, pause_us)

    def ask(self, address, count, window):
        return result(self.ask_start(address, count, window))

    def warm(self, name, address):
        ok(wait_for(lambda: self.ask(address, 1, 1)["answered"], 10), f"{name} answers")
        self.ask(address, NAMES * 2, 8)
