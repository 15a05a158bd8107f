# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic both ways for some seconds while SAs are replaced, and what must be seen of it."""
import time

from .swan import SECRET
from .tap import is_, ok

SHORT = "salifetime=4s\nrekeymargin=1s\nrekeyfuzz=0%"


def pairs_of(wire, *names):
    """{name: (ours, the other)}, and how one of a pair is made a host of ours."""
    pairs = {name: (wire.host(f"o-{name}"), wire.host(f"p-{name}")) for name in names}
    dns = wire.dns_host({f"{host.name}.example": host.v4 for pair in pairs.values() for host in pair})

    def oe(host, peer, extra=""):
        host.oe(policies={"private-or-clear": f"{peer.v4}/32"}, forward=dns, auth="secret", secrets=SECRET, extra=extra)
    return pairs, oe


def spis(host):
    """Of what the host sends."""
    return {spi for src, _, spi in host.esp_states() if src in host.addresses}


def traffic_both_ways(ours, there, theirs, back, count, step):
    """A ping every tenth of a second from each to the other's address, step() now and then: how many were answered, of
    each, and how many packets came before our SA for them. That is libreswan's loss: it sends on the new SA when it has
    answered, before we can have read that answer."""
    early = ours.xfrm_stat().get("XfrmInNoStates", 0)
    tasks = [ours.ping_start(there, count=count, interval=0.1), theirs.ping_start(back, count=count, interval=0.1)]
    while not all(task.done for task in tasks):
        step()
        time.sleep(0.5)
    answered = [task.result() for task in tasks]
    return *answered, ours.xfrm_stat().get("XfrmInNoStates", 0) - early


def rekeying(wire, label, ours, theirs, exchanges=2, hasty=False):
    """Runs it; how many pairs have been there in turn. A hasty peer may lose what it sends too early."""
    answer = ours.dns(f"{theirs.name}.example")
    is_(answer.addresses, [theirs.v4], f"{label}: {answer}")
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    mark = wire.now()
    seen = spis(ours)
    there, back, early = traffic_both_ways(ours, theirs, theirs, ours, 110, lambda: seen.update(spis(ours)))
    creates = [p for p in wire.ike(ours, theirs, since=mark) if p.exchange == "CREATE_CHILD_SA"]
    ok(len(creates) >= 2 * exchanges, f"{label}: {len(creates)} messages of CREATE_CHILD_SA")
    ok(there + back + (early if hasty else 0) >= 2 * 110,
       f"{label}: no packet is lost ({there} and {back} answered, {early} early)")
    is_(len(wire.clear(ours, theirs, since=mark)), 0, f"{label}: nothing in the clear")
    is_(len(wire.negotiations(ours, theirs, since=mark)), 0, f"{label}: and no new negotiation")
    is_(ours.peer(theirs)["state"], "tunnelled", f"{label}: oectl")
    return len(seen)
