#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates that must not count, shown to the daemon by t/lab/present, which is told what to show: each is
refused with its own reason, in oectl peers and in the log. The good ones between them are not."""
import os

from lab import *
from lab import state

CA = "ca,subject=Middle"
NO_CA = "no CA that is trusted"
REVOKED, REVOKED_CA = 4711, 4712

# What; the certificates, from the CA down (present.c has the words); what the reason says, None: it is good.
# The identity claimed is host.example, or what stands behind @.
TABLE = [
    ("a good one", "host", None),
    # time
    ("expired", "from=-9,until=-1", "expired"),
    ("not valid yet", "from=2", "not valid yet"),
    ("below an expired CA", f"{CA},from=-9,until=-1 host", "expired"),
    ("below a CA that is not valid yet", f"{CA},from=2 host", "not valid yet"),
    # who issued it
    ("another CA's, of the same name", "other", NO_CA),
    ("self-signed", "self", NO_CA),
    ("issued by a host", "subject=below host", "its issuer is no CA"),
    ("issued by a CA without basic constraints", f"{CA},noconstraints host", "its issuer is no CA"),
    ("issued by a CA that may not sign certificates", f"{CA},usage=128 host", "may not sign certificates"),
    ("issued by an unknown CA below ours", f"{CA},unsent host", NO_CA),
    ("a good one below another CA", f"{CA} host", None),
    ("a longer chain than its CA permits", f"{CA},pathlen=-1 ca,subject=Deep host", "longer than a CA"),
    ("a name that its CA may not give", f"{CA},permit=elsewhere.example host", "may not give it its names"),
    ("more certificates than we take", "host,times=9", "chain is too long"),
    ("revoked", f"serial={REVOKED}", "it is revoked"),
    ("below a revoked CA", f"{CA},serial={REVOKED_CA} host", "CN=Middle,O=Fleet,C=CH: it is revoked"),
    ("a good one of a CA below, whose number is revoked above", f"{CA} serial={REVOKED}", None),
    # what it is for
    ("for signing programs", "purpose=1.3.6.1.5.5.7.3.3", "extended key usage"),
    ("for encryption only", "usage=32", "its key usage"),
    ("for key agreement only", "usage=8", "its key usage"),
    ("an unknown critical extension", "critical", "critical extension"),
    # what it is made of
    ("an RSA key of 1024 bits", "key=rsa1024", "weak"),
    ("an RSA CA of 1024 bits", f"{CA},key=rsa1024 host", "weak"),
    ("signed with SHA-1", "sha1", "weak"),
    ("an Ed448 key", "key=ed448", "cannot sign here"),
    ("a kind of key that is not asked for", "key=ed25519", "of a kind that"),
    ("signed by another key", "host,otherkey", "its AUTH signature is wrong"),
    # names
    ("without names", "nonames", "does not carry the identity"),
    ("a wildcard", "wildcard", "does not carry the identity"),
    ("another name than it carries", "host @other.example", "does not carry the identity"),
    ("a part of the name that it carries", "host @example", "does not carry the identity"),
    ("a good one, claimed in capitals", "host @HOST.example", None),
    # broken
    ("none at all", "", "no certificate"),
    ("cut in the middle", "cut=200", "no X.509"),
    ("but for its last byte", "cut=-1", "no X.509"),
    ("one byte of it", "cut=1", "no X.509"),
    ("a bit of its signature changed", "flip=-4", "its signature is wrong"),
    ("noise", "noise=1000", "no X.509"),
    ("noise behind a good one", "noise=300 host", "no X.509"),
    ("12 KiB of noise", "noise=12288", "no X.509"),
    ("64 KiB of noise", "noise=65530", "longer than we take"),
    ("a good one at the end", "host", None),
]

wire = Wire()
ours, theirs = wire.host("ours", v6=False), wire.host("theirs", v6=False)
pki = Pki("ecdsa256")
pki.issue("ours")
ours.import_p12(pki)
ours.write("/etc/oe-resolverd/pki/crls/fleet.pem", pki.crl(serials=(REVOKED, REVOKED_CA)))
GROUPS, CONNS = {"private": f"{theirs.v4}/32"}, example("mesh", NAME="ours").replace(
    "authby=rsasig", "authby=rsasig,ecdsa").replace("auth=rsasig", "auth=rsasig,ecdsa")
ours.oe(policies=GROUPS, conns=CONNS)
last_refusal = 0.0


def present(certs):
    """What present says came of it."""
    words = certs.split()
    name = next((word[1:] for word in words if word.startswith("@")), "host.example")
    run = theirs.run(state.builddir("t/lab/present"), theirs.v4, ours.v4, pki.path("ca.pem"), pki.path("ca.key"),
                     name, *(word for word in words if not word.startswith("@")))
    if run.stderr:
        diag(run.stderr)
    return run.stdout.strip()


def refused():
    return [peer["reason"] for peer in ours.oectl("peers") if peer["state"] == "refused"]


def logged():
    return [line.split("refused: ")[1] for line in ours.oe_daemon.text().splitlines() if "refused: " in line]


def refuse(what, certs, reason):
    global last_refusal
    # One refusal a second is logged: what strangers cause must not fill the log.
    time.sleep(max(0.0, last_refusal + 1.1 - time.monotonic()))
    before, answer = len(logged()), present(certs)
    last_refusal = time.monotonic()
    wait_for(lambda: len(logged()) > before, 2)
    found, lines = refused(), logged()[before:]
    good = len(found) == 1 and reason in found[0] and lines == found
    if not ok(good and answer in ("AUTHENTICATION_FAILED", "INVALID_SYNTAX"), f"{what}: {(found or ['nothing'])[0]}"):
        diag(f"the peer: {answer}; oectl peers: {found}; log: {lines}; wanted: {reason}")


def take(what, certs):
    is_(present(certs), "up", f"taken: {what}")
    ours.oectl_run("down", theirs.v4)


if not os.path.exists(state.builddir("t/lab/present")):
    bail("make check builds t/lab/present")
for what, certs, reason in TABLE:
    if reason:
        refuse(what, certs, reason)
    else:
        take(what, certs)

ours.oe_configure(GROUPS, conns=CONNS, setup="crl-strict=yes")
ours.oectl_run("reload")
take("strict: a good one, whose CA has a list", "host")
refuse("strict: below a CA without one", f"{CA} host", "CN=host,O=Fleet,C=CH: its CA has no revocation list")
pki.remove()
