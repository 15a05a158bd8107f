# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition, with a limit."""
import time


def wait_for(condition, limit=5.0, step=0.02):
    """Polls until condition() is true; returns its value, or a false one after the limit."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(step)
