# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP on the lab's output: ok, is_, diag, note, skip, bail, plan.

A plan is not needed: the last line counts. The first failure calls on_failure,
which prints what explains it.
"""
import os
import sys
import termios
import threading


class Bail(Exception):
    """The test cannot go on; the output has said so."""


_output = sys.stdout
_lock = threading.RLock()
_count = 0
_failed = 0
_planned = None
_finished = False
_last = None
_story = False   # a demonstration: checks are marked, not numbered
on_failure = None


def open_output(native):
    """In UML the TAP has a console of its own, raw, so that nothing is rewritten."""
    global _output
    if native:
        _output = os.fdopen(3, "w", encoding="utf-8")
        return
    fd = os.open("/dev/tty1", os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(fd)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(fd, termios.TCSANOW, mode)
    _output = os.fdopen(fd, "w", encoding="utf-8", errors="replace")


def drain():
    """Waits until the console has taken everything."""
    if _output.isatty():
        termios.tcdrain(_output.fileno())


def say(text):
    with _lock:
        _output.write(text + "\n")
        _output.flush()


def tell_story():
    """Print checks as marks for a human reader, and no plan."""
    global _story
    _story = True


def diag(text):
    """Lines for the reader of a failure (and of `run`)."""
    for line in str(text).rstrip().splitlines() or [""]:
        say("# " + line)


note = diag


def ok(condition, name):
    global _count, _failed
    with _lock:
        _count += 1
        if not condition:
            _failed += 1
        if _story:
            say(f"   [{'yes' if condition else ' NO'}] {name}")
        else:
            say(f"{'ok' if condition else 'not ok'} {_count} - {name}")
        first = not condition and _failed == 1
    if first and on_failure:
        on_failure()
    return bool(condition)


def fail(name):
    return ok(False, name)


def is_(got, want, name):
    """got equals want; both are shown when not."""
    if got != want:
        diag(f"got:  {got!r}\nwant: {want!r}")
    return ok(got == want, name)


def plan(count):
    global _planned
    _planned = count
    say(f"1..{count}")


def skip(why, count=1):
    global _count
    for _ in range(count):
        _count += 1
        say(f"ok {_count} # skip {why}")


def skip_all(why):
    global _finished
    _finished = True
    say(f"1..0 # SKIP {why}")
    raise Bail(why)


def bail(why):
    """The rest of this test makes no sense. (TAP's own "Bail out!" would end every other test too.)"""
    fail(why)
    raise Bail(why)


def conclude(text):
    """The very last line of the output, behind the plan: a test's figure."""
    global _last
    _last = text


def finish():
    """Ends the output; returns the exit status."""
    try:
        return end()
    finally:
        if _last:
            say(_last)


def end():
    if not _finished and not _story and _planned is None:
        say(f"1..{_count}")
    if _planned is not None and _planned != _count:
        diag(f"planned {_planned} tests, ran {_count}")
        return 1
    return 1 if _failed or (_count == 0 and not _finished) else 0
