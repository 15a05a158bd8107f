#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What cached answers feel of a thousand RSA handshakes that oe-resolverd answers meanwhile. Beside it runs an echo
server with the same work for a question and nothing else to do: the control, for what the scheduler does to any
server here. "answered" ends when the answer is in the client's socket, "read" when the client has got a processor.
The initiators stand for other machines: they have the last processor, where the loop, the echo server and
who asks are not, for the scheduler would let them wait behind an initiator until its next tick; the workers go where
they like. There their share is SHARE, a nice value, 19 by default, the least that there is; where other work takes
all, hardly a handshake then arrives, and more is needed.
Run by `make bench` (t/lab/run --no-esp bench/beside.py [ROUNDS [SHARE]])."""
import signal
import statistics

from box import *

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
SHARE = int(sys.argv[2]) if len(sys.argv) > 2 else LAST
HANDSHAKES = 1000
IDLE_S = 1
PAUSE_US = 500  # between two questions
ECHO_US = 12    # of work for one: what a cached answer takes in user space
ADDRESSES = {"ours": "127.0.0.53", "echo": "127.0.0.54"}
PROCESSORS = os.sched_getaffinity(0)
MEASURES = {"answered_p50_us": "answered p50", "answered_p99_us": "answered p99", "p50_us": "read p50", "p99_us": "read p99"}


def beside(work):
    """work() with questions to both servers beside it, one at a time: {name: result}, and what work gave."""
    askers = {name: box.ask_start(address, 1000000, 1, PAUSE_US) for name, address in ADDRESSES.items()}
    for asker in askers.values():
        os.sched_setaffinity(asker.pid, {min(PROCESSORS)})
    done = work()
    for asker in askers.values():
        asker.send_signal(signal.SIGTERM)
    return {name: result(asker) for name, asker in askers.items()}, done


def initiate():
    """Initiators that are nobody: all signatures are the responder's."""
    process = box.start_program(box.dns, SHARE, "bench/initiate", box.dns.v4, box.host.v4, HANDSHAKES, 8, "null",
                                box.pki.path("ca.pem"))
    os.sched_setaffinity(process.pid, {max(PROCESSORS)})
    return result(process)


def middle(rows, name, measure):
    return statistics.median(row[name][measure] for row in rows)


box = Box()
for server in box.start_ours(), box.start("echo", state.builddir("bench/echo"), ADDRESSES["echo"], str(ECHO_US)):
    os.sched_setaffinity(server.process.pid, {min(PROCESSORS)})
for name, address in ADDRESSES.items():
    box.warm(name, address)
beside(initiate)  # what is done once is done
idle, busy, swarms = [], [], []
for number in range(ROUNDS):
    idle.append(beside(lambda: time.sleep(IDLE_S))[0])
    row, swarm = beside(initiate)
    busy.append(row)
    swarms.append(swarm["seconds"])
    is_(swarm["up"], HANDSHAKES, f"all RSA handshakes of round {number + 1}")
    diag(", ".join(f"{name} {text} {idle[-1][name][key]:.0f} -> {row[name][key]:.0f} us" for name in ADDRESSES
                   for key, text in MEASURES.items() if "p99" in key))
note(f"{HANDSHAKES} RSA-2048 handshakes in {statistics.median(swarms):.1f} s; medians of {ROUNDS} rounds, idle and beside them:")
for name in ADDRESSES:
    for key, text in MEASURES.items():
        before, after = middle(idle, name, key), middle(busy, name, key)
        note(f"{name}, {text}: {before:6.1f} -> {after:7.1f} us, ratio {after / before:.2f}")
