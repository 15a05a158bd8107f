# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a tunnel once it stands (or before), by the words of rows.py. A scene gives what is wrong,
or None; what it left is a tunnel that must carry traffic, for the cell looks at that in the end."""
import re
import struct
import time

from lab import wait_for
from lab.rekeying import traffic_both_ways

from .rows import LSW


def between(name):
    """Its part when the peer's daemon has started, and ours has not."""
    return BETWEEN.get(name, lambda cell: None)


def begin(name):
    """Who begins does so."""
    return BEGIN.get(name, lambda cell: cell.begin())


def after(name):
    return AFTER.get(name, lambda cell: None)


# --- the kernel's SAs, and the wire ------------------------------------------------------------------------

def esn(cell, wanted=True):
    states = ["esn" in flags for flags in re.findall(r"flag (.*)", cell.ours.run("ip", "xfrm", "state").stdout)]
    if wanted and not (states and all(states)):
        return "an SA without extended sequence numbers"
    if not wanted and any(states):
        return "an SA with extended sequence numbers"
    return None


def no_esn(cell):
    return esn(cell, False)


def in_mode(mode):
    def check(cell):
        modes = set(re.findall(r"mode (\w+)", cell.ours.xfrm_states()))
        return None if modes == {mode} else f"mode {modes}"
    return check


def in_udp(cell):
    if not cell.flows():
        return "no traffic"
    packets = cell.esp()
    return None if packets and all(p.sport for p in packets) else "ESP without UDP"


# --- cookies and fragments ---------------------------------------------------------------------------------

def payload(following, body):
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def half_open(cell):
    """strongSwan asks for a cookie as soon as one negotiation is half open: here is one that goes no further."""
    if cell.peer == LSW or cell.who == "them":
        return
    # It refuses every cookie while its clock, less a random part of what that was at its start, is below 10 s.
    time.sleep(11)
    # AES-GCM with 256 bits, PRF SHA2-256, X25519
    transforms = bytes.fromhex("0300000c01000014800e0100" "0300000802000005" "000000080400001f")
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    payloads = (payload(34, proposal) + payload(40, struct.pack("!HH", 31, 0) + bytes(range(9, 41)))
                + payload(0, bytes(32)))
    header = b"stranger" + bytes(8) + struct.pack("!BBBBII", 33, 0x20, 34, 8, 0, 28 + len(payloads))
    cell.ours.udp_send(cell.there, 500, header + payloads, sport=501)
    if not wait_for(lambda: [p for p in cell.wire.seen(cell.theirs, cell.ours, one_way=True) if p.dport == 501], 3):
        raise RuntimeError("the stranger is not answered")


def cookie_seen(cell):
    asked = said_in_init(cell, COOKIE)
    given = [p for p in cell.ike() if p.exchange == "IKE_SA_INIT" and not p.response and p.notify == COOKIE]
    return None if asked and given else "no cookie on the wire"


def cookie_and_group_seen(cell):
    return cookie_seen(cell) or (None if said_in_init(cell, INVALID_KE_PAYLOAD) else "no other group on the wire")


def said_in_init(cell, notify):
    return [p for p in cell.ike() if p.exchange == "IKE_SA_INIT" and p.response and p.notify == notify]


COOKIE, INVALID_KE_PAYLOAD = 16390, 17
NARROW = 1300


def narrow(cell):
    """What is longer is lost without a word, both ways."""
    cell.wire.lose(f'oifname {{ "{cell.ours.name}", "{cell.theirs.name}" }} meta length > {NARROW}',
                   table=cell.ours.name)


def fragments_seen(cell):
    cell.wire.lose_nothing(table=cell.ours.name)
    both = {p.src for p in cell.ike() if p.fragment} == {cell.there, cell.back}
    return None if both else "no fragments both ways"


def no_fragments(cell):
    large = [p for p in cell.ike() if p.exchange == "IKE_AUTH" and len(p.data) > NARROW]
    return None if large and not any(p.fragment for p in cell.ike()) else "fragments, or nothing to divide"


def traffic_while(cell, done, told):
    """Traffic both ways for some seconds; told() the peer after the first; done() must be true in the end, or soon."""
    seconds = []

    def step():
        seconds.append(1)
        if len(seconds) == 3 and told:
            told()
    there, back, early = traffic_both_ways(cell.ours, cell.there, cell.theirs, cell.back, PINGS, step)
    if there + back + (early if cell.peer == LSW else 0) < 2 * PINGS:
        return f"packets are lost: {there} and {back} of {PINGS} are answered, {early} of theirs came before their SA"
    return None if wait_for(done, 3) else "nothing was replaced"


PINGS = 60


# --- replaced -----------------------------------------------------------------------------------------------

def rekey_child(by, pfs=None):
    def scene(cell):
        spis, mark = cell.spis(), cell.wire.now()
        told = (lambda: cell.tell("rekey CHILD")) if by == "them" else None
        wrong = traffic_while(cell, lambda: cell.spis() and not cell.spis() & spis, told)
        if wrong:
            return wrong
        creates = [p for p in cell.ike(mark) if p.exchange == "CREATE_CHILD_SA" and not p.response]
        if not creates or any(p.src != (cell.back if by == "us" else cell.there) for p in creates):
            return f"{len(creates)} exchanges, or begun by the other end"
        if pfs is not None and pfs != key_exchanged(cell):
            return f"{'no ' if pfs else ''}key exchange in CREATE_CHILD_SA"
        return None
    return scene


def key_exchanged(cell):
    """Whether the peer says that CREATE_CHILD_SA had a KE payload: the wire shows only its length."""
    log = cell.theirs.daemons[-1].text()
    if cell.peer == LSW:
        return bool(re.search(r"rekey.*\bDH", log))
    return bool(re.search(r"CREATE_CHILD_SA re\w+ \d+ \[[^]]*\bKE\b", log))


def rekey_ike(by):
    def scene(cell):
        spis, mark = cell.spis(), cell.wire.now()
        told = (lambda: cell.tell("rekey IKE")) if by == "them" else None

        def replaced():
            return [p for p in cell.ike(mark) if p.exchange == "INFORMATIONAL" and p.response]
        wrong = traffic_while(cell, replaced, told)
        if wrong:
            return wrong
        first = [p for p in cell.ike(mark) if p.exchange == "CREATE_CHILD_SA" and not p.response]
        if not first or first[0].src != (cell.back if by == "us" else cell.there):
            return f"{len(first)} exchanges, or begun by the other end"
        if cell.spis() != spis:
            return "the CHILD SA did not stay"
        # The new IKE SA is used, and alive: it ends the tunnel.
        old, mark = first[0].initiator_spi, cell.wire.now()
        cell.tell("delete")
        if not cell.gone(cell.ours, 3):
            return "the new IKE SA did not delete the CHILD SA"
        last = [p for p in cell.ike(mark) if p.exchange == "INFORMATIONAL"]
        return begin_again(cell) if last and last[0].initiator_spi != old else "the old IKE SA was used"
    return scene


# --- ended ---------------------------------------------------------------------------------------------------

def begin_again(cell):
    """We begin: a peer that has ended its own connection on command does not."""
    return None if cell.pings_until(cell.ours, cell.there, 10) and cell.stands() else "no new tunnel"


def delete_by(by):
    def scene(cell):
        mark = cell.wire.now()
        if by == "us":
            cell.ours.oectl_run("down", cell.there)
        else:
            cell.tell("delete")
        if not (cell.gone(cell.ours, 3) and cell.gone(cell.theirs, 3)):
            return "SAs stay"
        gone = [p for p in cell.ike(mark) if p.exchange == "INFORMATIONAL" and not p.response]
        if not gone or gone[0].src != (cell.back if by == "us" else cell.there):
            return "no DELETE"
        return begin_again(cell)
    return scene


def silence(who):
    def scene(cell):
        silent, other = (cell.ours, cell.theirs) if who == "us" else (cell.theirs, cell.ours)
        mark = cell.wire.now()

        def asked():
            return [p for p in cell.ike(mark) if p.exchange == "INFORMATIONAL" and p.response
                    and p.src == cell.address(silent)]
        if who == "us" and not wait_for(asked, 6, 0.2):
            return "no liveness check that was answered"
        cell.wire.cut(silent)
        # We ask only where we send and hear nothing (N7).
        pings = other.ping_start(cell.address(silent), count=60, interval=0.25)
        if not cell.gone(other, 30):
            return "the dead peer's SAs stay"
        cell.wire.mend(silent)
        pings.result()
        return comes_back(cell)
    return scene


def comes_back(cell):
    """Who began begins again. strongSwan takes 16 s to find out that its SAs are of no use, libreswan 6."""
    host, to = (cell.theirs, cell.back) if cell.who == "them" else (cell.ours, cell.there)
    return None if cell.pings_until(host, to, 40) and cell.stands() else "traffic does not come back"


def reboot(who):
    def scene(cell):
        cell.reboot(cell.ours if who == "us" else cell.theirs)
        return comes_back(cell)
    return scene


# --- at once -------------------------------------------------------------------------------------------------

DELAY_MS = 400


def slow_wire(cell):
    for host in (cell.ours, cell.theirs):
        cell.wire.delay(host, DELAY_MS)


def crossed(cell):
    for host in (cell.ours, cell.theirs):
        cell.wire.delay(host, 0)
    begun = [p for p in cell.ike() if p.exchange == "IKE_SA_INIT" and not p.response]
    first = {p.src: p.time for p in reversed(begun)}
    if len(first) != 2 or abs(first[cell.back] - first[cell.there]) > DELAY_MS / 1000:
        return "they did not cross"
    # The surplus pair goes after a quiet time: 5 s at most where its initiator does it, 10 s where we do it in
    # the place of a peer that would keep both. And nothing flaps.
    if not wait_for(lambda: len(cell.spis()) == 1, 15, 0.2):
        return f"{len(cell.spis())} pairs remain"
    mark, spis = cell.wire.now(), cell.spis()
    there = cell.ours.ping_start(cell.there, count=20, interval=0.1)
    back = cell.theirs.ping_start(cell.back, count=20, interval=0.1)
    if (there.result(), back.result()) != (20, 20):
        return "packets are lost"
    if cell.spis() != spis or [p for p in cell.ike(mark) if p.exchange == "IKE_SA_INIT"]:
        return "it flaps"
    return None


def both_begin(cell):
    there = cell.ours.ping_start(cell.there, count=10, interval=0.2)
    cell.theirs.ping(cell.back, count=10, interval=0.2)
    there.result()


BETWEEN = {"narrow path": narrow, "both at once": slow_wire, "cookie": half_open, "cookie and group": half_open}
BEGIN = {"both at once": both_begin}
AFTER = {
    "esn": esn, "no esn": no_esn,
    "mode tunnel": in_mode("tunnel"), "mode transport": in_mode("transport"), "in UDP": in_udp,
    "cookie": cookie_seen, "cookie and group": cookie_and_group_seen,
    "narrow path": fragments_seen, "whole messages": no_fragments,
    "rekey CHILD by us": rekey_child("us", False), "rekey CHILD by them": rekey_child("them", False),
    "PFS by us": rekey_child("us", True), "PFS by them": rekey_child("them", True),
    "rekey IKE by us": rekey_ike("us"), "rekey IKE by them": rekey_ike("them"),
    "delete by us": delete_by("us"), "delete by them": delete_by("them"),
    "we fall silent": silence("us"), "they fall silent": silence("them"),
    "reboot of us": reboot("us"), "reboot of them": reboot("them"),
    "both at once": crossed,
}
