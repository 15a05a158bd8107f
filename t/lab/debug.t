#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug names in class CHAOS (A10): what the daemon is and has, and what a lookup would bring, without doing it."""
from lab import *

wire = Wire()
a, b = wire.host("a"), wire.host("b")
c = wire.host("c", 40)  # in no group
dns = wire.dns_host({"b.example": b, "many.example": [f"192.0.2.{n}" for n in range(16, 28)],
                     "dead.example": "192.0.2.9", "ad.example": "192.0.2.66", "plain.example": "192.0.2.99",
                     "b.corp.example": "192.0.2.98", "x.ads.example": "192.0.2.97", "bad.corp.example": "192.0.2.200",
                     "mixed.example": ["192.0.2.66", "192.0.2.99"]})
GROUPS = {"private": "192.0.2.0/28\n2001:db8::/124\n*.corp.example\n", "private-or-clear": "192.0.2.16/28\n",
          "block": "192.0.2.66\n*.ads.example\n", "clear": "192.0.2.200\n"}
a.oe(policies=GROUPS, forward=dns, dns_listen="0.0.0.0", setup="dns-allow=192.0.2.0/24",
     extra="retransmit-timeout=1200ms")
b.oe(policies=GROUPS, forward=dns)


def texts(name, host=a, **kwargs):
    return host.dns(name, "TXT", klass="CH", **kwargs)


def explained(name, *wanted):
    answer = texts(f"{name}.explain.oe", server="127.0.0.1", tcp=True)
    missing = [text for text in wanted if not any(text in line for line in answer.texts)]
    ok(answer.rcode == "NOERROR" and not missing, f"{name}: {answer.texts}{' without ' if missing else ''}{missing or ''}")


is_(texts("version.oe", server="127.0.0.1").texts, [f"oe-resolverd {a.oectl('version')['version']}"], "version.oe")
groups = texts("groups.oe", server="127.0.0.1").texts
ok(any("private: MUST: 2 lines, 1 names; closed when that fails" in line for line in groups) and len(groups) == 4,
   f"groups.oe: {groups}")
is_(texts("peers.oe", server="127.0.0.1").texts, [], "peers.oe: none yet")

# What would happen; nothing does.
mark = wire.now()
PRIVATE = "private waits for a tunnel; if that fails, is withheld (private:1)"
explained("b.example", f"{b.v4}: {PRIVATE}", "A: held until one is decided, for 2000 ms at most",
          f"{b.v6}: private waits for a tunnel; if that fails, is withheld (private:2)", "AAAA: held until")
explained("many.example", "private-or-clear waits for a tunnel; if that fails, passes without (private-or-clear:1)",
          "passes without a tunnel: too many addresses in one answer")
explained("ad.example", "192.0.2.66: block is taken out (block:1)", "A: answered at once, without the addresses")
explained("mixed.example", "192.0.2.99: passes without a tunnel (no line)", "A: answered at once, with 1 of 2")
explained("b.corp.example", "192.0.2.98: private waits for a tunnel; if that fails, is withheld (private:3 *.corp.example)")
explained("x.ads.example", "192.0.2.97: block is taken out: the name is blocked by block:2 *.ads.example")
explained("bad.corp.example", "192.0.2.200: private is withheld: private:3 *.corp.example is private, but clear:1")
explained("192.0.2.9", f"192.0.2.9: {PRIVATE}")
explained("2001:db8::7", "2001:db8::7: private waits")
explained("127.0.0.1", "127.0.0.1: passes without a tunnel")
is_(len(wire.ike(a, since=mark)), 0, "nobody was negotiated with")
is_(texts("peers.oe", server="127.0.0.1").texts, [], "nobody is a peer")
is_(a.ping("192.0.2.98", limit=0.3), 0, "192.0.2.98 is nobody")
ok("192.0.2.98" not in a.xfrm_policies(), "and its name put it into no group")

# What does happen is what was explained.
is_(sorted(a.dns("b.example", server="127.0.0.1").addresses), [b.v4], "the lookup is answered")
explained("b.example", f"{b.v4}: private goes through its tunnel (private:1)", "A: answered at once, with 1 of 1")
is_(a.dns("dead.example", server="127.0.0.1").addresses, [], "the lookup of a dead host is not")
explained("dead.example", "192.0.2.9: private is withheld: ", "A: empty if the other family has an address to use")
is_(a.dns("b.corp.example", server="127.0.0.1").addresses, [], "nor that of a private name")
explained("b.corp.example", "192.0.2.98: private is withheld: ")

peers = texts("peers.oe", server="127.0.0.1").texts
ok(any(line.startswith(f"{b.v4}: private: tunnelled for") for line in peers)
   and any(line.startswith("192.0.2.9: private: ") and line.endswith(": no answer") for line in peers), f"peers.oe: {peers}")
peer = texts(f"{b.v4}.peer.oe", server="127.0.0.1").texts
ok(len(peer) == 3 and "policies/private:1" in peer[1] and "auth null/null, initiator" in peer[2], f"ADDRESS.peer.oe: {peer}")
a.dns("b.example", "AAAA", server="127.0.0.1")
ok(texts(f"{b.v6}.peer.oe", server="127.0.0.1").texts, "and of an IPv6 address")
is_(texts("192.0.2.250.peer.oe", server="127.0.0.1").rcode, "NXDOMAIN", "NXDOMAIN for who is no peer")

# Who may ask
is_(texts("version.oe", server=a.v4).rcode, "NOERROR", "a host asks itself at its own address")
is_(c.dns("plain.example", server=a.v4).rcode, "NOERROR", "another host may look names up (dns-allow)")
is_(texts("version.oe", host=c, server=a.v4).rcode, "REFUSED", "but not these")
is_(a.dns("version.bind", "TXT", klass="CH", server="127.0.0.1").rcode, "REFUSED", "other names of the class are refused")
is_(wire.capture.lost(), 0, "the capture lost nothing")
