# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic both ways for some seconds while SAs are replaced, and what must be seen of it."""
import re
import time

from .tap import is_, ok


def spis(host, to):
    return set(re.findall(rf"src {re.escape(host.v4)} dst {re.escape(to.v4)}\s+proto esp spi (0x(?!00000000)\w+)",
                          host.run("ip", "xfrm", "state").stdout))


def rekeying(wire, label, ours, theirs, exchanges=2):
    """Runs it; how many pairs have been there in turn."""
    answer = ours.dns(f"{theirs.name}.example")
    is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    before = spis(ours, theirs)
    there = ours.ping_start(theirs, count=110, interval=0.1)
    back = theirs.ping_start(ours, count=110, interval=0.1)
    seen = set(before)
    while not (there.done and back.done):
        seen |= spis(ours, theirs)
        time.sleep(0.5)
    creates = [p for p in wire.ike(ours, theirs, since=mark) if p.exchange == "CREATE_CHILD_SA"]
    ok(len(creates) >= 2 * exchanges, f"{label}: {len(creates)} messages of CREATE_CHILD_SA")
    is_((there.result(), back.result()), (110, 110), f"{label}: no packet is lost")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    is_(len(wire.negotiations(ours, theirs, since=mark)), 0, f"{label}: and no new negotiation")
    is_(ours.peer(theirs)["state"], "tunnelled", f"{label}: oectl")
    return len(seen)
