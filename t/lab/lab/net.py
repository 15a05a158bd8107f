# SPDX-License-Identifier: GPL-2.0-or-later
"""Wire: a bridge in a network namespace of its own, with a tap on every port."""
import time

from . import state, tap
from .host import Host, Place
from .nat import Gateway
from .packet import Capture


class Wire:
    """The network of a test. Hosts get 192.0.2.N and 2001:db8::N, N from 1 up.

    Delay, loss and cuts act on what the wire delivers; the capture has what the
    hosts sent."""

    def __init__(self, v4="192.0.2.{}/24", v6="2001:db8::{:x}/64"):
        self.v4, self.v6 = v4, v6
        self.hosts = []
        self.ports = {}
        self.started = time.monotonic()
        self.place = Place("wire")
        self.place.ip("link add name lan0 type bridge stp_state 0 mcast_snooping 0",
                      "link set lan0 up")
        self.capture = self.place.call(Capture, self.ports, self.started)
        state.wires.append(self)

    # --- hosts ------------------------------------------------------------

    def gateway(self, name, number=None):
        """A host on the wire that translates for the hosts behind it; IPv4 only."""
        return self.host(name, number, v6=False, kind=Gateway)

    def host(self, name, number=None, v4=True, v6=True, kind=Host):
        """A new host on the wire; number is the last part of its addresses."""
        if number is None:
            number = max([h.number for h in self.hosts if h.number < 50] or [0]) + 1
        host = kind(self, name, number, v4=self.v4.format(number) if v4 else None,
                    v6=self.v6.format(number) if v6 else None)
        self.ports[name] = host
        self.hosts.append(host)
        self.plug(host)
        host.bring_up()
        return host

    def plug(self, host):
        """A cable between the host's eth0 and its port. Its hardware address outlives a reboot: neighbours know it."""
        mac = f"02:00:00:00:00:{host.number:02x}"
        self.place.ip(f"link add dev {host.name} type veth peer name eth0 address {mac} netns {host.name}",
                      f"link set dev {host.name} master lan0 up")

    def remove(self, *hosts):
        """The hosts are gone, with all that ran there; their logs stay."""
        for host in hosts:
            for daemon in host.daemons:
                daemon.kill()
            self.hosts.remove(host)
            if self.ports.pop(host.name, None):
                self.place.ip(f"link del dev {host.name}")
            host.leave()

    def dns_host(self, zone, name="dns", number=53, **kwargs):
        """A host with nsd; zone maps names to a host, an address, "TYPE data", or a list of these."""
        host = self.host(name, number)
        host.start_nsd(zone, **kwargs)
        return host

    # --- weather ----------------------------------------------------------

    def delay(self, host, ms, loss=None):
        """What the wire delivers to host comes ms later (and loses loss percent)."""
        rule = f"delay {ms}ms" + (f" loss {loss}%" if loss else "")
        self.place.ip_tc(f"qdisc replace dev {host.name} root netem limit 10000 {rule}")

    def cut(self, host):
        """Nothing goes to or from the host; its link stays up."""
        self.place.ip(f"link set dev {host.name} nomaster")

    def mend(self, host):
        self.place.ip(f"link set dev {host.name} master lan0")

    def lose(self, *matches, table="lab"):
        """Frames that any of these nft matches names are lost, after the tap has seen them.
        By count: lose("udp dport 500 numgen inc mod 2 0"); one host: 'oifname "b" ...'. Losses of one table add up.
        (The kernel of the lab has nftables for bridges only: hosts cannot filter.)"""
        rules = "".join(f"\t\t{match} counter drop\n" for match in matches)
        self.place.nft(f"table bridge {table} {{\n\tchain forward {{\n"
                       f"\t\ttype filter hook forward priority 0\n{rules}\t}}\n}}\n")

    def lose_nothing(self, table="lab"):
        self.place.nft(f"delete table bridge {table}\n")

    def silence_ike(self, host):
        """IKE to and from the host is lost without a word; everything else passes."""
        self.lose(f'oifname "{host.name}" udp dport {{ 500, 4500 }}',
                  f'iifname "{host.name}" udp sport {{ 500, 4500 }}')

    # --- what was seen ------------------------------------------------------

    def now(self):
        """Seconds since the wire began: the capture's clock, which no test sets."""
        return time.monotonic() - self.started

    def seen(self, a, b=None, kind=None, since=0.0, until=None, one_way=False):
        """Packets between two hosts (or of one), oldest first. kind: "esp", "ike", "clear", ..."""
        self.capture.settle()
        ours, theirs = addresses(a), addresses(b) if b is not None else None

        def fits(p):
            if p.time < since or (until is not None and p.time > until):
                return False
            if kind and not (p.clear if kind == "clear" else p.kind == kind):
                return False
            if p.src in ours and (theirs is None or p.dst in theirs):
                return True
            return not one_way and p.dst in ours and (theirs is None or p.src in theirs)
        return [p for p in list(self.capture.packets) if fits(p)]

    def esp(self, a, b=None, **kwargs):
        return self.seen(a, b, "esp", **kwargs)

    def ike(self, a, b=None, **kwargs):
        return self.seen(a, b, "ike", **kwargs)

    def clear(self, a, b=None, **kwargs):
        """Cleartext between the two: all but ESP, IKE, neighbour discovery and errors about these."""
        return self.seen(a, b, "clear", **kwargs)

    def negotiations(self, a, b=None, **kwargs):
        """The initiator SPIs of the IKE SAs begun between the two, in order."""
        spis = []
        for packet in self.ike(a, b, **kwargs):
            if packet.exchange == "IKE_SA_INIT" and packet.initiator_spi not in spis:
                spis.append(packet.initiator_spi)
        return spis

    def show(self, packets, limit=60):
        for packet in packets[-limit:]:
            tap.diag(str(packet))

    # --- afterwards ---------------------------------------------------------

    def explain(self):
        for host in self.hosts:
            host.explain()
        self.capture.settle(0.5)
        packets = list(self.capture.packets)
        tap.diag(f"--- the wire ({len(packets)} packets; the last of them, time since it began)")
        self.show(packets)

    def keep(self):
        for host in self.hosts:
            host.keep()
        index = state.wires.index(self)
        self.capture.save(state.out("wire.pcap" if index == 0 else f"wire{index}.pcap"))
        with open(state.out("wire.txt"), "a", encoding="utf-8") as f:
            f.writelines(f"{packet}\n" for packet in list(self.capture.packets))


def addresses(host):
    if isinstance(host, (str, bytes)):
        return {str(host)}
    return set(host.addresses) if hasattr(host, "addresses") else set(map(str, host))
