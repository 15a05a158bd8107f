# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell of the matrix: our host and the peer's on a wire that other cells use as well, and what can be
said to the two and asked of them."""
import os
import re
import shutil

from lab import PSK, SECRET, Pki, example, method_of, swan_connection, swanctl_conf, wait_for
from lab.peers import group_conn
from lab.rekeying import spis

from . import scenes
from .rows import LSW, SSW

# libreswan's conn where a row needs its name, an address of IPv6, or a NAT; else it has a group, as we do.
LSW_CONN = """conn oe
	left={me}
	leftid={id}
	right={peer}
	rightid={peer_id}
	authby=secret
	type={mode}
	ikev2=insist
	negotiationshunt=hold
	failureshunt=drop
	auto={auto}
{extra}"""


# libreswan runs shell scripts before it answers, which take seconds in the lab; they are about routes.
QUICK = "leftupdown=%disabled"
# Several cells run at once: speed is not what is asked here.
PATIENCE = "retransmit-timeout=20s"


def lines(text):
    return "".join(f"\t{line}\n" for line in text.splitlines())


class Cell:
    """number: makes names and addresses. who begins: "us", "them", "both"."""

    def __init__(self, wire, dns, number, peer, row, who):
        self.wire, self.dns, self.number = wire, dns, number
        self.peer, self.row, self.who = peer, row, who
        self.pki, self.since = None, wire.now()
        self.ours, self.seen_ours = self.make_host("o", 0, row.nat in ("us", "both"))
        self.theirs, self.seen_theirs = self.make_host("p", 2, row.nat in ("them", "both"))
        self.there, self.back = self.address(self.seen_theirs), self.address(self.seen_ours)
        self.hosts = {self.ours, self.seen_ours, self.theirs, self.seen_theirs}

    def make_host(self, letter, offset, hidden):
        """The host, and what the wire sees of it."""
        # More cells than the wire has addresses: those of a cell that is done serve again.
        place = 4 * (self.number % 45) + 1 + offset
        name = f"{letter}{self.number}"
        if not hidden:
            host = self.wire.host(name, place, v6=not self.row.nat)
            return host, host
        gate = self.wire.gateway(f"{name}-nat", place)
        host = gate.hide(name)
        gate.expose(host)
        return host, gate

    def address(self, host):
        return host.v4 if self.row.family == 4 else host.v6

    # --- the two daemons -----------------------------------------------------------------------------

    def start(self):
        if self.row.kind:
            self.pki = Pki(self.row.kind)
            for host in (self.ours, self.theirs):
                self.pki.issue(host.name)
        self.start_theirs()
        scenes.between(self.row.scene)(self)
        self.start_ours()

    def remove(self):
        self.wire.remove(*self.hosts)
        if self.pki:
            self.pki.remove()

    @property
    def secrets(self):
        return SECRET if self.row.auth == "secret" or self.row.psk else ""

    def half_of(self, host):
        """The file of contrib/examples that a host with certificates has, and the group that it fills."""
        words = self.row.auth.split()
        if "null" not in words:
            return "mesh", "private"
        client = self.ours if self.who == "us" else self.theirs
        anonymous = (words[0] == "null") == (host is client)
        return ("client-half" if anonymous else "server-half",
                "private-or-clear" if host is client else "clear-or-private")

    def conns_by_cert(self, host):
        name, group = self.half_of(host)
        method = self.row.method or method_of(self.row.kind)
        text = example(name, NAME=host.name).replace("retransmit-timeout=3s", PATIENCE)
        if self.row.auth.endswith(" null"):
            # Of the halves who shows what, but the one with the certificate begins.
            begins = group == "private-or-clear"
            for word, value in (("conn ", group), ("negotiationshunt=", "hold" if begins else "passthrough"),
                                ("auto=", "ondemand" if begins else "add")):
                text = re.sub(rf"^(\t?{word}).*", rf"\g<1>{value}", text, count=1, flags=re.M)
        if self.row.method and host is self.theirs:
            # libreswan's leftauth= has no hashes.
            text = text.replace("\tleftauth=rsasig\n", "").replace("rightauth=rsasig", f"authby={method}")
        elif self.row.psk:
            side = "left" if (self.row.psk == "us") == (host is self.ours) else "right"
            text = re.sub(rf"\t{side}(cert|id|rsasigkey)=.*\n", "", text).replace(
                f"{side}auth=rsasig", f"{side}auth=secret").replace("auth=rsasig", f"auth={method}").replace(
                    "rightca=%same", "rightca=%any")
        else:
            text = text.replace("auth=rsasig", f"auth={method}")
        more = self.row.ours if host is self.ours else f"{self.row.lsw}\n{QUICK}"
        return group, text.split("# Who is in policies/clear")[0] + lines(more)

    def start_ours(self):
        row, to = self.row, self.there
        words = {"forward": self.dns, "setup": row.setup, "secrets": self.secrets}
        if self.pki:
            self.ours.import_p12(self.pki)
            group, words["conns"] = self.conns_by_cert(self.ours)
        else:
            group = "private"
            patience = "" if "retransmit-timeout" in row.ours else f"\n{PATIENCE}"
            words["conns"] = group_conn("private", row.auth, row.ours + patience).replace(
                "type=tunnel", f"type={row.mode}")
        self.ours.oe(policies={group: to}, **words)

    def start_theirs(self):
        if self.peer != LSW:
            self.start_strongswan()
        elif self.pki:
            self.theirs.nss_import(self.pki)
            group, conf = self.conns_by_cert(self.theirs)
            self.theirs.start_libreswan(policies={group: self.back}, conf=conf, setup=self.row.setup,
                                        secrets=self.secrets)
        elif self.row.family == 4 and not self.row.nat and not self.row.scene:
            self.theirs.start_libreswan(policies={"private": self.back}, auth=self.row.auth,
                                        extra=f"{self.row.lsw}\n{QUICK}", secrets=self.secrets)
        else:
            self.theirs.start_libreswan(conf=self.lsw_conn(), secrets=SECRET, setup=self.row.setup)

    def lsw_conn(self):
        row, me = self.row, self.address(self.theirs)
        inner = self.address(self.ours)
        extra = f"{row.lsw}\n{QUICK}" + (f"\nrightsubnet={inner}/32" if self.told_inner else "")
        return LSW_CONN.format(me=me, id=me, peer=self.back, peer_id=inner, extra=lines(extra),
                               mode="tunnel" if self.told_inner else row.mode,
                               auto="add" if self.who == "us" else "ondemand")

    @property
    def told_inner(self):
        """As a responder libreswan puts no addresses that it sees into the selectors (RFC 7296 2.23.1): it
        must be told the inner one, and then uses it for what it sends."""
        return self.peer == LSW and self.row.nat == "us" and self.who == "us"

    def start_strongswan(self):
        row = self.row
        me = None if row.nat else self.address(self.theirs)
        ends = {"local": {"id": self.address(self.theirs)}, "remote": {"id": self.address(self.ours)}}
        if self.pki and row.psk != "them":
            ends["local"] = {"auth": "pubkey", "certs": f"{self.theirs.name}.pem"}
        if self.pki and row.psk != "us":
            ends["remote"] = {"auth": "pubkey", "cacerts": "ca.pem"}
        # Its trap would swallow its own neighbour discovery.
        start = "trap" if self.who != "us" and row.family == 4 else "none"
        self.theirs.start_strongswan(swanctl_conf(swan_connection(
            me, self.back, proposals=row.ike, **ends, **row.conn,
            child={"mode": row.mode, "esp_proposals": row.esp, "start_action": start, **row.child}),
            psk=PSK if self.secrets else None), pki=self.pki, more=row.charon)

    def reboot(self, host):
        """Its daemon and its kernel forget all, and the daemon starts again."""
        for daemon in host.daemons:
            daemon.kill()
        host.ip("xfrm state flush", "xfrm policy flush")

        def empty_run():
            for name in os.listdir("/run"):
                path = f"/run/{name}"
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        host.call(empty_run)
        self.start_ours() if host is self.ours else self.start_theirs()

    # --- what they do -----------------------------------------------------------------------------------

    def begin(self):
        """Who begins does so: we by a lookup, as our users do; they by a packet, or when told."""
        if self.who != "them":
            self.lookup()
        elif self.row.family == 6 and self.peer != LSW:
            self.theirs.swanctl("--initiate", "--child", "host", "--timeout", "5")
        else:
            self.theirs.ping(self.back, count=8, interval=0.3, limit=0.3)

    def lookup(self):
        return self.ours.dns(f"h{self.seen_theirs.number}.example", "A" if self.row.family == 4 else "AAAA", timeout=6)

    def is_answered(self):
        """Once the tunnel stands the address is known; while it comes, the answer waits 4 s at most (A4)."""
        return self.lookup().addresses == [self.there]

    def stands(self, limit=25.0):
        """A pair of SAs at both ends."""
        def both():
            return all(len({(s, d) for s, d, _ in host.esp_states()}) == 2 for host in (self.ours, self.theirs))
        return wait_for(both, limit, 0.1)

    def gone(self, host, limit):
        return wait_for(lambda: not host.esp_states(), limit, 0.1)

    def flows(self, count=2, limit=3):
        return (self.ours.ping(self.there, count=count, limit=limit) == count
                and self.theirs.ping(self.ours.v4 if self.told_inner else self.back, count=count, limit=limit) == count)

    def pings_until(self, host, to, limit):
        """Pings until one is answered."""
        return wait_for(lambda: host.ping(to, limit=0.5), limit, 0.1)

    def spis(self):
        return spis(self.ours)

    # --- what was seen -----------------------------------------------------------------------------------

    def esp(self, since=None):
        return self.wire.esp(self.seen_ours, self.seen_theirs, since=since or self.since)

    def ike(self, since=None):
        return self.wire.ike(self.seen_ours, self.seen_theirs, since=since or self.since)

    def clear(self, since=None):
        """What we sent in the clear. The peer's own packets are its own affair: libreswan and strongSwan
        have no closed groups, and after a reboot or a delete they may send so."""
        return self.wire.clear(self.seen_ours, self.seen_theirs, since=since or self.since, one_way=True)

    def tell(self, what):
        """The peer's daemon does one of TOLD."""
        return self.theirs.run(*TOLD[what][self.peer])

    def explain(self):
        for host in (self.ours, self.theirs):
            host.explain()
        self.wire.show(self.wire.seen(self.seen_ours, self.seen_theirs, since=self.since))


WHACK, SWANCTL = "/usr/libexec/ipsec/whack", "/usr/sbin/swanctl"
# What the peers are told, in their own words.
TOLD = {
    "rekey CHILD": {LSW: (WHACK, "--rekey-ipsec", "--name", "oe"), SSW: (SWANCTL, "--rekey", "--child", "host")},
    "rekey IKE": {LSW: (WHACK, "--rekey-ike", "--name", "oe"), SSW: (SWANCTL, "--rekey", "--ike", "oe")},
    "delete": {LSW: (WHACK, "--terminate", "--name", "oe"), SSW: (SWANCTL, "--terminate", "--ike", "oe")},
}
