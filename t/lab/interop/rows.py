# SPDX-License-Identifier: GPL-2.0-or-later
"""The table. A row is what is said to each end and what then happens; every row is four cells: libreswan and
strongSwan, begun by us and by them. What is not said is the default of Row; `nots` says which peer cannot,
and why: by its name, or by its name and who begins."""
from dataclasses import dataclass, field

LSW, SSW = "libreswan", "strongSwan"
PEERS = (LSW, SSW)


@dataclass
class Row:
    name: str
    ours: str = ""          # lines of our conn
    lsw: str = ""           # lines of libreswan's
    ike: str = "aes256gcm16-prfsha256-x25519"   # strongSwan's proposals
    esp: str = "aes256gcm16"
    conn: dict = field(default_factory=dict)    # more words of strongSwan's connection, and of its child
    child: dict = field(default_factory=dict)
    charon: str = ""        # a line of strongswan.conf
    setup: str = ""         # lines of config setup, ours and libreswan's
    # "secret", "null", or a kind of key (lab/pki.py), which is the HOWTO's mesh; "null KIND" is its two
    # halves, an anonymous client and a server with a certificate, and "KIND null" the reverse. The client begins.
    auth: str = "secret"
    psk: str = ""           # with a kind of key: "us" or "them" has no certificate, but a PSK
    method: str = ""        # the word of authby= where it is not the one of the key
    mode: str = "tunnel"
    family: int = 4
    nat: str = ""           # in front of "us", "them", "both"
    scene: str = ""         # in scenes.py
    nots: dict = field(default_factory=dict)
    marked: bool = False    # make check runs it
    roles: tuple = ("us", "them")

    @property
    def kind(self):
        """The kind of key, or nothing where nobody has a certificate."""
        return next((word for word in self.auth.split() if word not in ("secret", "null")), "")

    def why_not(self, peer, who):
        return self.nots.get(peer) or self.nots.get(f"{peer} {who}")


def ike(name, suite, theirs, lsw=None, **more):
    """An algorithm of the IKE SA, in our words and in strongSwan's; libreswan's are ours, but for x25519."""
    lsw = lsw or suite.replace("x25519", "curve25519")
    return Row(name, f"ike={suite}", f"ike={lsw}", ike=theirs, **more)


def esp(name, suite, theirs, **more):
    return Row(name, f"esp={suite}", f"esp={suite}", esp=theirs, **more)


NO_NULL = {SSW: "it has no NULL authentication"}
# It signs by method 1 with SHA-1 then, and by method 11, of P-521, with a key of P-256.
NO_HASHES = {f"{LSW} them": "4.10 names no hashes of RFC 7427 to an end that has no certificate"}
NO_RFC4754 = {LSW: "4.10 has ECDSA by RFC 7427 only"}

AUTHENTICATION = [
    Row("NULL", auth="null", nots=NO_NULL, marked=True),
    Row("PSK", marked=True),
    Row("RSA-2048", auth="rsa2048", marked=True),
    Row("RSA-3072", auth="rsa3072", marked=True),
    Row("ECDSA-256", auth="ecdsa256", marked=True),
    Row("ECDSA-384", auth="ecdsa384", marked=True),
    Row("ECDSA-521", auth="ecdsa521"),
    Row("Ed25519", auth="ed25519", nots={LSW: "4.10 has no EdDSA"}, marked=True),
    Row("client NULL, server RSA-2048", auth="null rsa2048", nots=NO_NULL, marked=True),
    Row("client NULL, server RSA-3072", auth="null rsa3072", nots=NO_NULL),
    Row("client NULL, server ECDSA-256", auth="null ecdsa256", nots=NO_NULL, marked=True),
    Row("client NULL, server ECDSA-384", auth="null ecdsa384", nots=NO_NULL, marked=True),
    Row("client RSA-2048, server NULL", auth="rsa2048 null", nots={**NO_NULL, **NO_HASHES}),
    Row("client ECDSA-256, server NULL", auth="ecdsa256 null", nots={**NO_NULL, **NO_HASHES}),
    Row("ECDSA-256 us, PSK them", auth="ecdsa256", psk="them"),
    Row("PSK us, ECDSA-256 them", auth="ecdsa256", psk="us", nots=NO_HASHES),
    Row("RSA-2048 by method 1, SHA-1", auth="rsa2048", method="rsa-sha1",
        charon="signature_authentication = no"),
    Row("ECDSA-256 by method 9", auth="ecdsa256", charon="signature_authentication = no", nots=NO_RFC4754),
    Row("ECDSA-384 by method 10", auth="ecdsa384", charon="signature_authentication = no", nots=NO_RFC4754),
    Row("ECDSA-521 by method 11", auth="ecdsa521", charon="signature_authentication = no", nots=NO_RFC4754),
]

KEY_EXCHANGE = [
    ike("group x25519", "aes_gcm256-sha2_256;x25519", "aes256gcm16-prfsha256-x25519"),
    ike("group ecp256", "aes_gcm256-sha2_256;dh19", "aes256gcm16-prfsha256-ecp256"),
    ike("group ecp384", "aes_gcm256-sha2_256;dh20", "aes256gcm16-prfsha256-ecp384"),
    ike("group ecp521", "aes_gcm256-sha2_256;dh21", "aes256gcm16-prfsha256-ecp521"),
    ike("group modp2048", "aes_gcm256-sha2_256;modp2048", "aes256gcm16-prfsha256-modp2048"),
    ike("group modp3072", "aes_gcm256-sha2_256;dh15", "aes256gcm16-prfsha256-modp3072"),
    ike("group modp4096", "aes_gcm256-sha2_256;dh16", "aes256gcm16-prfsha256-modp4096"),
    ike("another group first", "aes_gcm256-sha2_256;x25519+dh20", "aes256gcm16-prfsha256-ecp384",
        lsw="aes_gcm256-sha2_256;dh20"),
    ike("modp2048 after x25519", "aes_gcm256-sha2_256;x25519+modp2048", "aes256gcm16-prfsha256-modp2048",
        lsw="aes_gcm256-sha2_256;modp2048"),
]

IKE_CIPHERS = [
    ike("IKE AES-GCM 128", "aes_gcm128-sha2_256;x25519", "aes128gcm16-prfsha256-x25519"),
    ike("IKE ChaCha20-Poly1305", "chacha20_poly1305-sha2_256;x25519", "chacha20poly1305-prfsha256-x25519",
        nots={LSW: "4.10 does not propose it for IKE"}),
    ike("PRF SHA2-384", "aes_gcm256-sha2_384;x25519", "aes256gcm16-prfsha384-x25519"),
    ike("PRF SHA2-512", "aes_gcm256-sha2_512;x25519", "aes256gcm16-prfsha512-x25519"),
    ike("IKE AES-CBC 256, SHA2-256", "aes256-sha2_256;x25519", "aes256-sha256-prfsha256-x25519"),
    ike("IKE AES-CBC 128, SHA2-512", "aes128-sha2_512;x25519", "aes128-sha512-prfsha512-x25519"),
    ike("IKE AES-CBC 256, SHA2-384", "aes256-sha2_384;x25519", "aes256-sha384-prfsha384-x25519"),
    ike("IKE AES-CBC after AES-GCM", "aes_gcm256-sha2_256,aes256-sha2_256;x25519",
        "aes256-sha256-prfsha256-x25519", lsw="aes256-sha2_256;curve25519"),
]

ESP = [
    esp("ESP AES-GCM 128", "aes_gcm128", "aes128gcm16"),
    esp("ESP ChaCha20-Poly1305", "chacha20_poly1305", "chacha20poly1305"),
    esp("ESP AES-CBC 128, SHA2-256", "aes128-sha2_256", "aes128-sha256"),
    esp("ESP AES-CBC 256, SHA2-384", "aes256-sha2_384", "aes256-sha384"),
    esp("ESP AES-CBC 256, SHA2-512", "aes256-sha2_512", "aes256-sha512"),
    Row("ESN by default", lsw="esn=either", esp="aes256gcm16-esn-noesn", scene="esn"),
    Row("ESN demanded", "esn=yes", "esn=yes", esp="aes256gcm16-esn", scene="esn"),
    Row("ESN with AES-CBC", "esp=aes128-sha2_256\nesn=yes", "esp=aes128-sha2_256\nesn=yes",
        esp="aes128-sha256-esn", scene="esn"),
    Row("no ESN, where we refuse it", "esn=no", "esn=either", esp="aes256gcm16-esn-noesn", scene="no esn"),
    Row("no ESN, where they refuse it", "", "esn=no", esp="aes256gcm16-noesn", scene="no esn"),
]

# RFC 7296 2.23.1: in transport mode each end puts the addresses that it sees into the selectors.
NO_NAT = {LSW: "4.10 puts no addresses that it sees into the selectors, whether it asks or answers"}
NO_NAT_ANSWER = {f"{LSW} them": "4.10 refuses an answer whose selectors have our inner address"}

PLACES = [
    Row("transport", mode="transport", scene="mode transport"),
    Row("tunnel", scene="mode tunnel"),
    Row("tunnel over IPv6", family=6, scene="mode tunnel"),
    Row("transport over IPv6", family=6, mode="transport", scene="mode transport"),
    Row("NAT before us", nat="us", mode="transport", scene="in UDP", nots=NO_NAT_ANSWER),
    Row("NAT before them", nat="them", mode="transport", scene="in UDP", nots=NO_NAT),
    Row("NAT before both", nat="both", mode="transport", scene="in UDP", nots=NO_NAT),
    Row("cookie forced", setup="ddos-mode=busy", charon="cookie_threshold = 1", scene="cookie"),
    # Who answers has not the group that comes first; strongSwan's X25519 is for the stranger alone (scenes.py).
    Row("cookie, our group is another", "ike=aes_gcm256-sha2_256;x25519+dh20", "ike=aes_gcm256-sha2_256;dh20",
        ike="aes256gcm16-prfsha256-ecp384,aes256gcm16-prfsha256-x25519", setup="ddos-mode=busy",
        charon="cookie_threshold = 1", scene="cookie and group", roles=("us",)),
    Row("cookie, their group is another", "ike=aes_gcm256-sha2_256;dh20", "ike=aes_gcm256-sha2_256;dh19+dh20",
        ike="aes256gcm16-prfsha256-ecp256-ecp384", setup="ddos-mode=busy", scene="cookie and group", roles=("them",)),
    Row("fragments where the path drops more", auth="rsa3072", scene="narrow path"),
    Row("no fragmentation", "fragmentation=no", "fragmentation=no", conn={"fragmentation": "no"}, auth="rsa3072",
        scene="whole messages"),
]

# Ours replaces SAs by their age, the others when they are told to.
CHILD_SOON = "salifetime=4s\nrekeymargin=1s\nrekeyfuzz=0%"
IKE_SOON = "ikelifetime=6s\nrekeymargin=2s\nrekeyfuzz=0%"
PFS = {"ours": "pfs=yes", "lsw": "pfs=yes", "esp": "aes256gcm16-x25519"}
NO_PFS = {"ours": "pfs=no", "lsw": "pfs=no", "esp": "aes256gcm16"}
# libreswan 4.10's dpdaction=hold keeps its packets for ever.
DPD = {"ours": "dpddelay=1s\nretransmit-timeout=6s", "lsw": "dpddelay=1\nretransmit-timeout=5s\ndpdaction=restart",
       "conn": {"dpd_delay": "1s"}, "child": {"dpd_action": "trap"}}


def rekey(name, scene, words, soon="rekey=no", **more):
    return Row(name, **{**words, "ours": f"{words['ours']}\n{soon}", "lsw": f"{words['lsw']}\nrekey=no"},
               scene=scene, **more)


LIFE = [
    rekey("rekey CHILD by us", "rekey CHILD by us", NO_PFS, CHILD_SOON),
    rekey("rekey CHILD by them", "rekey CHILD by them", NO_PFS),
    rekey("PFS, rekey CHILD by us", "PFS by us", PFS, CHILD_SOON),
    rekey("PFS, rekey CHILD by them", "PFS by them", PFS),
    rekey("rekey IKE by us", "rekey IKE by us", NO_PFS, IKE_SOON),
    rekey("rekey IKE by them", "rekey IKE by them", NO_PFS),
    Row("delete by us", scene="delete by us"),
    Row("delete by them", scene="delete by them"),
    Row("DPD, we fall silent", **DPD, scene="we fall silent"),
    Row("DPD, they fall silent", **DPD, scene="they fall silent"),
    Row("reboot of us", **DPD, scene="reboot of us"),
    Row("reboot of them", **DPD, scene="reboot of them"),
    Row("both begin at once", scene="both at once", roles=("both",)),
]

ROWS = AUTHENTICATION + KEY_EXCHANGE + IKE_CIPHERS + ESP + PLACES + LIFE
