#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates that must not count, shown by strongSwan, which does not mind: each is refused with its own
reason in oectl peers. What no other daemon can be brought to send (broken chains and DER) is in t/unit/ike_cert."""
import os
import subprocess

from lab import *

CA_CONF = """[ca]
default_ca = c
[c]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = supplied
"""

GOOD = "subjectAltName=DNS:{name}.example\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"

# name: (what the reason must say, changes). ca: who signs; ext: extensions; from, to: years from now; key, md.
BAD = {
    "expired": ("expired", {"to": -1, "from": -2}),
    "early": ("not valid yet", {"from": 1, "to": 2}),
    "stranger": ("no CA that is trusted", {"ca": "other"}),
    "selfsigned": ("no CA that is trusted", {"ca": None}),
    "by-a-host": ("no CA that is trusted", {"ca": "good"}),
    "weak": ("weak", {"key": "rsa1024"}),
    "sha1": ("weak", {"md": "sha1"}),
    "purpose": ("purpose", {"ext": GOOD.replace("serverAuth,clientAuth", "codeSigning")}),
    "usage": ("usage", {"ext": GOOD.replace("digitalSignature", "keyEncipherment")}),
    "method": ("of a kind that", {"key": "ed25519"}),
}


class BadPki(Pki):
    """A CA that signs what it is told to."""

    def __init__(self):
        Pki.__init__(self, "ecdsa256")
        open(self.path("index.txt"), "w").close()
        with open(self.path("ca.conf"), "w") as file:
            file.write(CA_CONF.format(folder=self.folder))
        self.key("other", "ecdsa256")
        self.openssl("req", "-x509", "-new", "-key", self.path("other.key"), "-days", "30", "-subj",
                     "/C=CH/O=Other/CN=Other CA", "-out", self.path("other.pem"))

    def sign(self, name, ca="ca", ext=GOOD, key="ecdsa256", md="sha256", **when):
        if key == "rsa1024":
            self.openssl("genrsa", "-out", self.path(f"{name}.key"), "1024")
        else:
            self.key(name, key)
        self.openssl("req", "-new", "-key", self.path(f"{name}.key"), "-subj", f"/CN={name}.example",
                     "-out", self.path(f"{name}.csr"))
        with open(self.path(f"{name}.ext"), "w") as file:
            file.write(ext.format(name=name))
        year = time.gmtime().tm_year
        first, last = (f"{year + when.get(word, default)}0101000000Z"
                       for word, default in (("from", -1), ("to", 2)))
        signer = (["-cert", self.path(f"{ca}.pem"), "-keyfile", self.path(f"{ca}.key")] if ca else
                  ["-selfsign", "-keyfile", self.path(f"{name}.key")])
        self.openssl("ca", "-batch", "-config", self.path("ca.conf"), *signer, "-md", md, "-startdate", first,
                     "-enddate", last, "-extfile", self.path(f"{name}.ext"), "-notext",
                     "-in", self.path(f"{name}.csr"), "-out", self.path(f"{name}.pem"))


wire = Wire()
ours, theirs = wire.host("ours", v6=False), wire.host("theirs", v6=False)
pki = BadPki()
pki.issue("ours")
pki.sign("good")
for name, (reason, changes) in BAD.items():
    pki.sign(name, **changes)
ours.import_p12(pki)
ours.oe(policies={"private": f"{theirs.v4}/32"},
        conns=example("mesh", NAME="ours").replace("authby=rsasig", "authby=rsasig,ecdsa").replace(
            "auth=rsasig", "auth=rsasig,ecdsa"))


def folders():
    for folder in ("x509", "x509ca", "private"):
        os.makedirs(f"/etc/swanctl/{folder}", exist_ok=True)
    for name in ["good"] + list(BAD):
        subprocess.run(["cp", pki.path(f"{name}.pem"), "/etc/swanctl/x509/"], check=True)
        subprocess.run(["cp", pki.path(f"{name}.key"), "/etc/swanctl/private/"], check=True)
    subprocess.run(["cp", pki.path("ca.pem"), "/etc/swanctl/x509ca/"], check=True)


theirs.call(folders)
theirs.start_strongswan(swanctl_conf(psk=None, **{name: swan_connection(
    theirs.v4, ours.v4, childless="force", child=False, local={"auth": "pubkey", "certs": f"{name}.pem"},
    remote={"auth": "pubkey"}) for name in ["good"] + list(BAD)}))


def initiate(name):
    theirs.swanctl("--initiate", "--ike", name, "--timeout", "3")


def refused():
    return [p["reason"] for p in ours.oectl("peers") if p["state"] == "refused"]


for name, (reason, changes) in BAD.items():
    initiate(name)
    found = refused()
    ok(len(found) == 1 and reason in found[0] and "AUTHENTICATION_FAILED" in found[0], f"{name}: {found}")
is_(ours.oectl("status")["ike"]["sas"], 0, "none of them has an IKE SA")
ok("refused: AUTHENTICATION_FAILED" in ours.oe_daemon.text(), "the log says so too")
initiate("good")
is_(ours.oectl("status")["ike"]["sas"], 1, "a good one has")
pki.remove()
