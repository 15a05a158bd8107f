# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: hosts on a wire, daemons on them, stimulus, and what was seen.

A test is a Python file that begins with `from lab import *`. Run directly or by
prove, that line hands it over to t/lab/run, which boots the lab and runs the
file again inside.

    wire = Wire()
    a, b = wire.host("a"), wire.host("b")
    dns = wire.dns_host({"b.example": b})
    for host in (a, b):
        host.oe(policies={"private-or-clear": "192.0.2.0/24"}, forward=dns)
    answer = a.dns("b.example")
    ok(answer.rcode == "NOERROR" and a.ping(b), "answered, and reachable")
    ok(not wire.clear(a, b), "nothing between the two in the clear")

Modules: net (Wire), host (Host, Daemon), peers (the daemons), packet (capture),
dns (client), tap, state, kernel.
"""
import os
import sys

if os.getpid() != 1:
    # Outside: become the runner of the file that imported us.
    _run = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run")
    os.execv(_run, [_run, os.path.abspath(sys.argv[0])] + sys.argv[1:])

# pylint: disable=wrong-import-position
import time  # noqa: E402,F401
from .net import Wire  # noqa: E402,F401
from .host import Host  # noqa: E402,F401
from .swan import PSK, SECRET, swan_connection, swanctl_conf  # noqa: E402,F401
from .pki import Pki, example, method_of  # noqa: E402,F401
from .tap import bail, conclude, diag, fail, is_, note, ok, plan, skip, skip_all  # noqa: E402,F401
from .wait import wait_for  # noqa: E402,F401
