# SPDX-License-Identifier: GPL-2.0-or-later
"""What the whole lab shares: the job, the wires, and what explains a failure."""
import os

from . import tap

job = None       # set by init: test, out, builddir, srcdir, layer, limit, ...
wires = []       # every Wire, so that a failure can be explained
_explained = False


def out(name):
    return os.path.join(job["out"], name)


def builddir(path=""):
    return os.path.join(job["builddir"], path)


def explain():
    """Print logs, kernel state and packets, once, at the first failure."""
    global _explained
    if _explained:
        return
    _explained = True
    for wire in wires:
        try:
            wire.explain()
        except Exception as error:  # pylint: disable=broad-except
            tap.diag(f"cannot explain: {error!r}")


def keep():
    """Write what a reader wants later into the output folder."""
    for wire in wires:
        try:
            wire.keep()
        except Exception as error:  # pylint: disable=broad-except
            tap.diag(f"cannot keep: {error!r}")


tap.on_failure = explain
