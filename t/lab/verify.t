#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""verify-name=yes: an address goes out only under a name that the peer's certificate is for. Whoever has another
certificate of the same CA does not get what was meant for that name, however he comes to the address. And who
is on a revocation list gets nothing at all."""
from lab import *

wire = Wire()
a, b, c, d, e, swan = hosts = [wire.host(name, v6=False) for name in ("a", "b", "c", "d", "e", "swan")]
zone = {"a": a, "b": b, "x.b": b, "x.y.b": b, "other": b, "alias": "CNAME b.example.", "c": c, "wrong": c, "d": d,
        "e": e, "others.e": e, "evil": b, "swan": swan, "others.swan": swan}
dns = wire.dns_host({f"{name}.example": value for name, value in zone.items()})
pki = Pki("ecdsa256")
NAMES = {"b": "DNS:b.example,DNS:*.b.example", "c": f"DNS:c.example,IP:{c.v4}"}
for name in ("a", "b", "c", "d", "e", "evil", "swan"):
    pki.issue(name, names=NAMES.get(name))
MESH = example("mesh", NAME="host").replace("authby=rsasig", "authby=ecdsa").replace("auth=rsasig", "auth=ecdsa")
VERIFYING = MESH.replace("#verify-name", "verify-name")
MAY = VERIFYING.split("# Who is in")[0].replace("conn private", "conn private-or-clear").replace(
    "failureshunt=drop", "failureshunt=passthrough")
PRIVATE = {"private": "192.0.2.0/28"}


def start(host, conns, **words):
    host.oe(policies=PRIVATE, forward=dns, conns=conns.replace("leftcert=host", f"leftcert={host.name}"), **words)


def impostor(host):
    """Another host of the fleet takes its place."""
    host.import_p12(pki, "evil")
    host.oe_daemon.stop()
    start(host, MESH.replace("leftcert=host", "leftcert=evil"))


def withheld(name, why, what):
    answer = a.dns(f"{name}.example")
    ok(answer.rcode == "SERVFAIL" and why in str(answer.ede), f"{what}: withheld: {answer}")


def released(name, host, what):
    answer = a.dns(f"{name}.example")
    is_(answer.addresses, [host.v4], f"{what}: {answer}")
    return answer


for host in hosts[:-1]:
    host.import_p12(pki)
    start(host, VERIFYING if host is a else MESH)

CERT = {"auth": "pubkey", "id": None}
swan.start_strongswan(swanctl_conf(swan_connection(swan.v4, a.v4, local={**CERT, "certs": "swan.pem"},
                                                   remote={**CERT, "cacerts": "ca.pem"}), psk=None), pki=pki)

# --- names -------------------------------------------------------------------------------------

released("b", b, "the name of the certificate")
is_(a.ping(b), 1, "traffic")
first = a.peer(b)
is_((first["state"], first["certificate_for"], first["verified"]),
    ("tunnelled", "b.example, *.b.example", "b.example"), "oectl peers says for whom the certificate is")
released("x.b", b, "another name of the same certificate, by its wildcard")
withheld("x.y.b", "certificate is for b.example", "a wildcard is one label")
withheld("other", "certificate is for b.example", "a second name for the same address")
withheld("alias", "certificate is for b.example", "an alias: the name that was asked counts")
peer = a.peer(b)
is_((peer["spi_out"], peer["verified"]), (first["spi_out"], "b.example, x.b.example"),
    "the tunnel of the first name has stayed")
ok(peer["reason"].startswith("withheld from alias.example: "), f"with a reason: {peer['reason']}")
trace = " ".join(event["text"] for event in a.oectl("trace", "other.example")["events"])
ok("withheld: the peer's certificate is for b.example" in trace, f"oectl trace tells: {trace}")
explain = lambda name: " ".join(a.dns(f"{name}.example.explain.oe", "TXT", klass="CH").texts)
ok("is withheld: the peer's certificate is for b.example" in explain("other"), f"so does explain: {explain('other')}")
ok("goes through its tunnel" in explain("b"), f"explain: the good one: {explain('b')}")
text = " ".join(a.dns(f"{b.v4}.peer.oe", "TXT", klass="CH").texts)
ok("certificate for b.example, *.b.example" in text and "verified: b.example" in text, f"and peer.oe: {text}")

# --- addresses -----------------------------------------------------------------------------------

is_(a.ping(c), 1, "an address without a lookup: the certificate has it")
is_(a.ping(d, count=8, limit=1), 0, "another's has not, however often it is tried")
ok("nobody has looked up a name" in a.peer(d)["reason"], f"which is the reason: {a.peer(d)['reason']}")
released("d", d, "a lookup by its name does not wait for that failure to be forgotten")
is_(a.ping(d), 1, "traffic")
withheld("wrong", "certificate is for c.example", "who has the address has the name not yet")
released("c", c, "but its own")

# --- who comes to us --------------------------------------------------------------------------------

is_(e.ping(a), 1, "a peer comes to us, unasked")
is_(a.peer(e)["role"], "responder", "as it may")
withheld("others.e", "certificate is for e.example", "under another name it is not used")
released("e", e, "under its own it is")

# --- a strange daemon ----------------------------------------------------------------------------------

withheld("others.swan", "certificate is for swan.example", "strongSwan under another name")
released("swan", swan, "strongSwan under its own")
is_(a.ping(swan), 1, "traffic")

# --- a restart ------------------------------------------------------------------------------------------

names = {"b.example", "d.example", "swan.example"}
ok(wait_for(lambda: names <= set(a.run("cat", "/var/lib/oe-resolverd/verified").stdout.split()), 15),
   "verified names are kept")
a.oe_daemon.kill()
a.oe_start()
is_((a.ping(d, count=5) > 0, a.ping(swan, count=5) > 0), (True, True), "killed and started: connections go on, unasked")

# --- another in its place ---------------------------------------------------------------------------

mark = wire.now()
impostor(b)
is_(a.ping(b, limit=1), 0, "another's certificate at an address in use: nothing goes there")
ok("not for a name that the address is in use under" in a.peer(b)["reason"], f"reason: {a.peer(b)['reason']}")
is_(b.ping(a, limit=1), 0, "nor can he come to us")
withheld("evil", "certificate is for evil.example", "even under his own name, while the other is in use")
withheld("b", "certificate is for evil.example", "and under the other's")
is_(len(wire.clear(a, b, since=mark)), 0, "nothing in the clear")
a.oectl_run("down", b.v4)
released("evil", b, "oectl down: all begins anew")

# --- reload -------------------------------------------------------------------------------------------

spi = a.peer(c)["spi_out"]
a.oe_configure(PRIVATE, dns, conns=MESH.replace("leftcert=host", "leftcert=a"))
a.oectl_run("reload")
released("wrong", c, "turned off: any name")
is_(a.peer(c)["spi_out"], spi, "by the same tunnel")
a.oe_configure(PRIVATE, dns, conns=VERIFYING.replace("leftcert=host", "leftcert=a"))
a.oectl_run("reload")
withheld("wrong", "certificate is for c.example", "turned on again")
ok(a.peer(c)["spi_out"] != spi, "by another tunnel: what was not verified has ended")
a.oe_configure({"private": "", "private-or-clear": PRIVATE["private"]}, dns,
               conns=(MESH + MAY).replace("leftcert=host", "leftcert=a"))
a.oectl_run("reload")
released("wrong", c, "where failures pass: used all the same")
trace = " ".join(event["text"] for event in a.oectl("trace", "wrong.example")["events"])
ok("tunnelled: not verified: the peer's certificate is for c.example" in trace, f"oectl trace says so: {trace}")
# --- revocation lists ---------------------------------------------------------------------------------

LIST = "/etc/oe-resolverd/pki/crls/fleet.pem"
a.oe_configure(PRIVATE, dns, conns=VERIFYING.replace("leftcert=host", "leftcert=a"))
a.write(LIST, pki.crl("e"))
a.oectl_run("reload")
released("d", d, "a list that names another")
released("c", c, "nor him")
a.write(LIST, pki.crl("e", "d"))
spi = a.peer(c)["spi_out"]
a.oectl_run("reload")
ok(wait_for(lambda: a.peer(d)["state"] != "tunnelled", 5), "a reload with one that names a peer ends its tunnel")
is_(a.peer(c)["spi_out"], spi, "and no other")
withheld("d", "it is revoked", "who is revoked")
is_(d.ping(a, limit=1), 0, "nor can he come to us")
a.write(LIST, "noise")
check = a.oectl_run("check", "/etc/oe-resolverd/oe.conf")
ok(check.returncode == 1 and f"{LIST}: this revocation list is left out" in check.stdout + check.stderr,
   f"a broken list: oectl check says so: {(check.stdout + check.stderr).strip().splitlines()[-1]}")
is_(len(wire.clear(a)), len(wire.clear(a, dns)), "nothing but lookups was in the clear")
pki.remove()
