#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interoperation as a table: each row with libreswan and with strongSwan, begun by us and by them.

make check runs the rows that are marked; `make check-interop` runs all (t/lab/run interop --all).
A cell that the peer's Debian build cannot do says why.
"""
import argparse
import re

from lab import *

NULL_NOT = "strongSwan has no NULL authentication"
CHACHA_NOT = "libreswan 4.10 does not propose it for IKE"
DEFAULT_NOT = "libreswan's %defaultroute is the IPv4 address"
ND_NOT = "strongSwan's trap swallows its own neighbour discovery"

# name, marked, our conn's extra lines, libreswan's (None: why not), strongSwan's IKE proposal, ESP proposal, family
ROWS = [
    ("NULL", True, "auth=null", "auth=null", NULL_NOT, None, 4),
    ("PSK", True, "", "", "aes256gcm16-prfsha256-x25519", "aes256gcm16", 4),
    ("PSK over IPv6", False, "", None, "aes256gcm16-prfsha256-x25519", "aes256gcm16", 6),
    ("group x25519", False, "ike=aes_gcm256-sha2_256;x25519", "ike=aes_gcm256-sha2_256;curve25519",
     "aes256gcm16-prfsha256-x25519", "aes256gcm16", 4),
    ("group ecp256", False, "ike=aes_gcm256-sha2_256;dh19", "ike=aes_gcm256-sha2_256;dh19",
     "aes256gcm16-prfsha256-ecp256", "aes256gcm16", 4),
    ("group ecp384", False, "ike=aes_gcm256-sha2_256;dh20", "ike=aes_gcm256-sha2_256;dh20",
     "aes256gcm16-prfsha256-ecp384", "aes256gcm16", 4),
    ("group ecp521", False, "ike=aes_gcm256-sha2_256;dh21", "ike=aes_gcm256-sha2_256;dh21",
     "aes256gcm16-prfsha256-ecp521", "aes256gcm16", 4),
    ("group modp2048", False, "ike=aes_gcm256-sha2_256;modp2048", "ike=aes_gcm256-sha2_256;modp2048",
     "aes256gcm16-prfsha256-modp2048", "aes256gcm16", 4),
    ("group modp3072", False, "ike=aes_gcm256-sha2_256;dh15", "ike=aes_gcm256-sha2_256;dh15",
     "aes256gcm16-prfsha256-modp3072", "aes256gcm16", 4),
    ("group modp4096", False, "ike=aes_gcm256-sha2_256;dh16", "ike=aes_gcm256-sha2_256;dh16",
     "aes256gcm16-prfsha256-modp4096", "aes256gcm16", 4),
    ("group modp2048 after x25519", False, "ike=aes_gcm256-sha2_256;x25519+modp2048",
     "ike=aes_gcm256-sha2_256;modp2048", "aes256gcm16-prfsha256-modp2048", "aes256gcm16", 4),
    ("another group first", False, "ike=aes_gcm256-sha2_256;x25519+dh20", "ike=aes_gcm256-sha2_256;dh20",
     "aes256gcm16-prfsha256-ecp384", "aes256gcm16", 4),
    ("IKE AES-GCM 128", False, "ike=aes_gcm128-sha2_256;x25519", "ike=aes_gcm128-sha2_256;curve25519",
     "aes128gcm16-prfsha256-x25519", "aes256gcm16", 4),
    ("IKE ChaCha20-Poly1305", False, "ike=chacha20_poly1305-sha2_256;x25519", None,
     "chacha20poly1305-prfsha256-x25519", "aes256gcm16", 4),
    ("PRF SHA2-384", False, "ike=aes_gcm256-sha2_384;x25519", "ike=aes_gcm256-sha2_384;curve25519",
     "aes256gcm16-prfsha384-x25519", "aes256gcm16", 4),
    ("PRF SHA2-512", False, "ike=aes_gcm256-sha2_512;x25519", "ike=aes_gcm256-sha2_512;curve25519",
     "aes256gcm16-prfsha512-x25519", "aes256gcm16", 4),
    ("IKE AES-CBC 256, SHA2-256", False, "ike=aes256-sha2_256;x25519", "ike=aes256-sha2_256;curve25519",
     "aes256-sha256-prfsha256-x25519", "aes256gcm16", 4),
    ("IKE AES-CBC 128, SHA2-512", False, "ike=aes128-sha2_512;x25519", "ike=aes128-sha2_512;curve25519",
     "aes128-sha512-prfsha512-x25519", "aes256gcm16", 4),
    ("IKE AES-CBC 256, SHA2-384", False, "ike=aes256-sha2_384;x25519", "ike=aes256-sha2_384;curve25519",
     "aes256-sha384-prfsha384-x25519", "aes256gcm16", 4),
    ("IKE AES-CBC after AES-GCM", False, "ike=aes_gcm256-sha2_256,aes256-sha2_256;x25519",
     "ike=aes256-sha2_256;curve25519", "aes256-sha256-prfsha256-x25519", "aes256gcm16", 4),
    ("ESP AES-CBC 128, SHA2-256", False, "esp=aes128-sha2_256", "esp=aes128-sha2_256",
     "aes256gcm16-prfsha256-x25519", "aes128-sha256", 4),
    ("ESP AES-CBC 256, SHA2-384", False, "esp=aes256-sha2_384", "esp=aes256-sha2_384",
     "aes256gcm16-prfsha256-x25519", "aes256-sha384", 4),
    ("ESP AES-CBC 256, SHA2-512", False, "esp=aes256-sha2_512", "esp=aes256-sha2_512",
     "aes256gcm16-prfsha256-x25519", "aes256-sha512", 4),
    ("ESP AES-GCM 128", False, "esp=aes_gcm128", "esp=aes_gcm128", "aes256gcm16-prfsha256-x25519",
     "aes128gcm16", 4),
    ("ESP ChaCha20-Poly1305", False, "esp=chacha20_poly1305", "esp=chacha20_poly1305",
     "aes256gcm16-prfsha256-x25519", "chacha20poly1305", 4),
    ("ESN by default", False, "", "esn=either", "aes256gcm16-prfsha256-x25519", "aes256gcm16-esn-noesn", 4),
    ("ESN demanded", False, "esn=yes", "esn=yes", "aes256gcm16-prfsha256-x25519", "aes256gcm16-esn", 4),
    ("ESN with AES-CBC", False, "esp=aes128-sha2_256\n\tesn=yes", "esp=aes128-sha2_256\n\tesn=yes",
     "aes256gcm16-prfsha256-x25519", "aes128-sha256-esn", 4),
    ("no ESN, where we refuse it", False, "esn=no", "esn=either", "aes256gcm16-prfsha256-x25519",
     "aes256gcm16-esn-noesn", 4),
    ("no ESN, where they refuse it", False, "", "esn=no", "aes256gcm16-prfsha256-x25519", "aes256gcm16-noesn", 4),
    ("cookie forced", False, "ddos", "ddos", "aes256gcm16-prfsha256-x25519", "aes256gcm16", 4),
    ("no fragmentation", False, "fragmentation=no", "fragmentation=no", "aes256gcm16-prfsha256-x25519",
     "aes256gcm16", 4),
]

parser = argparse.ArgumentParser()
parser.add_argument("--all", action="store_true")
parser.add_argument("--rows", metavar="TEXT", help="all rows that have this in their names")
args = parser.parse_args()
cells = [(peer, row, who) for row in ROWS if (args.rows in row[0] if args.rows else args.all or row[1]) for peer in ("libreswan", "strongSwan")
         for who in ("us", "them")]
wire = Wire()
dns = wire.dns_host({"a.example": "192.0.2.99"}, number=200)
passed = failed = impossible = 0


def split(lines):
    """An option's line for the conn, the authentication, and what is for config setup."""
    if lines == "auth=null":
        return "", "null", ""
    if lines == "ddos":
        return "", "secret", "ddos-mode=busy"
    return lines, "secret", ""


def start_ours(host, to, lines):
    extra, auth, setup = split(lines)
    host.oe(policies={"private": str(to)}, forward=dns, auth=auth, extra=extra, setup=setup,
            secrets=SECRET if auth == "secret" else "")


def start_theirs(peer, host, to, row, who):
    if peer == "libreswan":
        extra, auth, setup = split(row[3])
        host.start_libreswan(policies={"private": str(to)}, auth=auth, extra=extra, setup=setup,
                             secrets=SECRET if auth == "secret" else "")
    else:
        host.start_strongswan(swanctl_conf(swan_connection(
            host.v4 if row[6] == 4 else host.v6, to, proposals=row[4],
            child={"esp_proposals": row[5], "start_action": "none" if who == "us" else "trap"})))


def impossible_for(peer, row, who):
    """Why this peer cannot do a row, or None."""
    if peer == "libreswan":
        return (DEFAULT_NOT if row[6] == 6 else CHACHA_NOT) if row[3] is None else None
    if row[4] == NULL_NOT:
        return NULL_NOT
    return ND_NOT if row[6] == 6 and who == "them" else None


def counts_as_wanted(host, row):
    """Whether the kernel's states have extended sequence numbers, or not, as the row's name says."""
    states = ["esn" in flags for flags in re.findall(r"flag (.*)", host.run("ip", "xfrm", "state").stdout)]
    if row[0].startswith("ESN"):
        return any(states) and all(states)
    return not (row[0].startswith("no ESN") and any(states))


def run(number, peer, row, who):
    global passed, failed, impossible
    label = f"{row[0]}, {peer}, begun by {who}"
    why = impossible_for(peer, row, who)
    if why:
        impossible += 1
        note(f"{label}: not possible there: {why}")
        return
    # More cells than the wire has addresses: those of a cell that is done serve again.
    place = 2 * (number % 90)
    ours, theirs = wire.host(f"o{number}", place + 1), wire.host(f"p{number}", place + 2)
    there, back = (theirs.v4, ours.v4) if row[6] == 4 else (theirs.v6, ours.v6)
    start_ours(ours, there, row[2])
    start_theirs(peer, theirs, back, row, who)
    mark = wire.now()
    first, to = (ours, there) if who == "us" else (theirs, back)
    first.ping(to, count=5, interval=0.4, limit=1)
    stands = ours.has_sa(theirs)
    flows = ours.ping(there, count=2, limit=3) == 2 and theirs.ping(back, count=2, limit=3) == 2
    esp = {p.src for p in wire.esp(ours, theirs, since=mark)} == {there, back}
    counts = counts_as_wanted(ours, row)
    good = bool(stands and flows and esp and counts and not wire.clear(ours, theirs, since=mark))
    passed += good
    failed += not good
    ok(good, f"{label}: {'SAs, ' if stands else 'no SAs, '}{'traffic' if flows else 'no traffic'}"
       f"{'' if esp else ', no ESP both ways'}{'' if counts else ', sequence numbers of the other kind'}")
    for daemon in ours.daemons + theirs.daemons:
        daemon.kill()
    for host in (ours, theirs):
        wire.cut(host)


for number, (peer, row, who) in enumerate(cells):
    run(number, peer, row, who)
conclude(f"interop: {passed} passed, {failed} failed, {impossible} not possible there")
