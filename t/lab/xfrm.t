#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit tests of xfrm/ on a kernel that has ESP: there their tunnels stand. Arguments pick some of them."""
import subprocess
import sys

from lab import *
from lab import state

NAMES = ("xfrm_lines", "xfrm_flows", "xfrm_search", "xfrm_spread", "xfrm_waiting", "xfrm_tunnels",
         "xfrm_refused")

for name in sys.argv[1:] or NAMES:
    test = subprocess.run([state.builddir(f"t/unit/{name}")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    lines = test.stdout.splitlines()
    good = [line for line in lines if line.startswith("ok")]
    ok(test.returncode == 0 and len(good) > 30, f"{name}: {len(good)} are good")
    for line in lines:
        if not line.startswith("ok"):
            diag(line)
    if name == "xfrm_flows":
        ok(any("leaves in ESP" in line for line in good), "with a tunnel")
