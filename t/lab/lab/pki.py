# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet's CA and its hosts' certificates, made with openssl, handed out as PKCS#12."""
import os
import shutil
import subprocess
import tempfile

from . import state

PASSPHRASE = "correct horse"
KEYS = {
    "rsa2048": ["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa3072": ["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:3072"],
    "ecdsa256": ["-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa521": ["-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ecdsa384": ["-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ed25519"],
}


def method_of(kind):
    """The word of authby= for a kind of key."""
    return "rsasig" if kind.startswith("rsa") else "eddsa" if kind == "ed25519" else "ecdsa"


def example(name, **words):
    """The conns of contrib/examples/NAME, with words put in (NAME=…)."""
    with open(os.path.join(state.job["srcdir"], "contrib/examples", name, "oe.conf"),
              encoding="utf-8") as file:
        text = file.read()
    for word, value in words.items():
        text = text.replace(word, value)
    return text


class Pki:
    """One CA; issue() gives a host's certificate. Files are in `folder`, seen by every host."""

    def __init__(self, kind="ecdsa256", name="Fleet CA", folder=None):
        self.kind, self.name = kind, name
        self.folder = folder or tempfile.mkdtemp(prefix="oe-pki-")
        self.key("ca", kind)
        self.openssl("req", "-x509", "-new", "-key", self.path("ca.key"), "-days", "30",
                     "-subj", f"/C=CH/O=Fleet/CN={name}", "-out", self.path("ca.pem"),
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        run = subprocess.run(["openssl", *words], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"openssl {' '.join(words)}: {run.stderr}")

    def key(self, name, kind):
        self.openssl("genpkey", *KEYS[kind], "-out", self.path(f"{name}.key"))

    def sign(self, name, kind, extensions, issuer):
        """NAME.key and NAME.pem, behind which come those of its CAs that are no root."""
        self.key(name, kind or self.kind)
        self.openssl("req", "-new", "-key", self.path(f"{name}.key"), "-subj",
                     f"/C=CH/O=Fleet/CN={name}.example", "-out", self.path(f"{name}.csr"))
        with open(self.path(f"{name}.ext"), "w") as file:
            file.write(extensions)
        self.openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path(f"{issuer}.pem"),
                     "-CAkey", self.path(f"{issuer}.key"), "-CAcreateserial", "-days", "30",
                     "-extfile", self.path(f"{name}.ext"), "-out", self.path(f"{name}.pem"))
        if issuer != "ca":
            with open(self.path(f"{name}.pem"), "a") as file, open(self.path(f"{issuer}.pem")) as above:
                file.write(above.read())

    def below(self, name, issuer="ca"):
        """A CA below another: an issuer for issue()."""
        self.sign(name, None, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n", issuer)
        return name

    def issue(self, name, kind=None, names=None, usage="digitalSignature",
              purposes="serverAuth,clientAuth", issuer="ca"):
        """NAME.p12, NAME.pem and NAME.key; names: subjectAltName, "DNS:NAME.example" by default."""
        self.sign(name, kind, f"subjectAltName={names or f'DNS:{name}.example'}\nkeyUsage={usage}\n"
                  f"extendedKeyUsage={purposes}\n", issuer)
        self.openssl("pkcs12", "-export", "-inkey", self.path(f"{name}.key"), "-in",
                     self.path(f"{name}.pem"), "-certfile", self.path("ca.pem"), "-name", name,
                     "-passout", f"pass:{PASSPHRASE}", "-out", self.path(f"{name}.p12"))
        return self.path(f"{name}.p12")

    def crl(self, *names, serials=(), days=30):
        """The text of a revocation list of the CA: with these hosts' certificates, and these serial numbers."""
        numbers = [f"{serial:06X}" for serial in serials]
        for name in names:
            shown = subprocess.run(["openssl", "x509", "-serial", "-noout", "-in", self.path(f"{name}.pem")],
                                   capture_output=True, text=True, check=True).stdout
            numbers.append(shown.strip().split("=")[1])
        with open(self.path("index.txt"), "w", encoding="ascii") as file:
            file.writelines(f"R\t491231235959Z\t200101000000Z\t{number}\tunknown\t/CN=host\n" for number in numbers)
        with open(self.path("crl.cnf"), "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=it\n[it]\ndatabase={self.path('index.txt')}\ndefault_md=sha256\n")
        self.openssl("ca", "-gencrl", "-config", self.path("crl.cnf"), "-keyfile", self.path("ca.key"), "-cert",
                     self.path("ca.pem"), "-crldays", str(days), "-out", self.path("crl.pem"))
        with open(self.path("crl.pem"), encoding="ascii") as file:
            return file.read()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
