# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemons that a host can run: oe-resolverd, libreswan, strongSwan, nsd.

Mixed into Host. Each start_ writes the daemon's files, starts it and returns
when it is ready to work, so a test's clock begins after that.
"""
import ipaddress
import json
import os
import shutil
import socket

from . import state, tap
from .pki import PASSPHRASE
from .wait import wait_for

OE_DIR = "/etc/oe-resolverd"
OE_SOCKET = "/run/oe-resolverd/control.sock"

# Where the daemon's files are on a host, whatever prefix it was configured with.
OE_SETUP = f"""config setup
	policies-dir={OE_DIR}/policies
	secretsfile={OE_DIR}/oe.secrets
	pki-dir={OE_DIR}/pki
	statedir=/var/lib/oe-resolverd
	control-socket={OE_SOCKET}
"""

# The groups of the HOWTO, with NULL authentication on both sides.
NULL_CONNS = {
    "private": "negotiationshunt=hold\n\tfailureshunt=drop\n\tauto=ondemand",
    "private-or-clear": "negotiationshunt=hold\n\tfailureshunt=passthrough\n\tauto=ondemand",
    "clear-or-private": "negotiationshunt=passthrough\n\tfailureshunt=passthrough\n\tauto=add",
    "clear": None,
    "block": None,
}


def group_conn(name, auth="null", extra=""):
    """The conn of a group, in the HOWTO's manner. auth: "null" or "secret"."""
    keys = NULL_CONNS.get(name, NULL_CONNS["private-or-clear"])
    head = f"conn {name}\n\tleft=%defaultroute\n\ttype=tunnel\n"
    if keys is None:
        kind = "drop" if name == "block" else "passthrough"
        return f"conn {name}\n\tleft=%defaultroute\n\tright=%group\n\ttype={kind}\n\tauthby=never\n\tauto=ondemand\n"
    who = "\tleftid=%null\n\trightid=%null\n" if auth == "null" else ""
    more = "".join(f"\t{line.strip()}\n" for line in extra.splitlines() if line.strip())
    return f"{head}\tright=%opportunisticgroup\n\tauthby={auth}\n\tikev2=insist\n{who}\t{keys}\n{more}"


def zone_text(zone, origin="example."):
    """A zone file from {name: host | address | "TYPE data" | list of these}."""
    lines = [f"$ORIGIN {origin}", "$TTL 300",
             "@ SOA ns hostmaster 1 3600 900 86400 60", "@ NS ns", "ns A 192.0.2.53"]
    for name, value in zone.items():
        owner = name if name.endswith(".") else name + "."
        for item in value if isinstance(value, (list, tuple)) else [value]:
            lines += [f"{owner} {record}" for record in records_of(item)]
    return "\n".join(lines) + "\n"


def records_of(item):
    if hasattr(item, "addresses"):
        return [record for a in item.addresses for record in records_of(a)]
    try:
        return [("AAAA " if ipaddress.ip_address(item).version == 6 else "A ") + item]
    except ValueError:
        return [item]


class Peers:
    """The part of Host that knows the daemons."""

    # --- oe-resolverd -------------------------------------------------------

    def oe(self, policies=None, forward=None, setup="", conns=None, auth="null", extra="",
           secrets="", dns_listen=None, wait=True, conf=None):
        """Configure and start oe-resolverd with the groups that policies names.

        policies: {group: lines}; forward: host or address of the DNS server;
        setup: more lines for config setup; extra: more lines for each conn;
        conns: the whole text of the conns; conf: the whole file instead."""
        self.oe_configure(policies, forward, setup, conns, auth, extra, secrets, dns_listen, conf)
        return self.oe_start(wait=wait)

    def oe_configure(self, policies=None, forward=None, setup="", conns=None, auth="null",
                     extra="", secrets="", dns_listen=None, conf=None):
        policies = policies or {}
        if conf is None:
            conf = OE_SETUP
            if forward is not None:
                conf += f"\tdns-forward={forward}\n"
            if dns_listen is not None:
                conf += f"\tdns-listen={dns_listen}\n"
            conf += "".join(f"\t{line.strip()}\n" for line in setup.splitlines() if line.strip())
            if conns is None:
                conns = "\n".join(group_conn(name, auth, extra) for name in policies)
            conf += "\n" + conns
        self.write(f"{OE_DIR}/oe.conf", conf)
        self.write(f"{OE_DIR}/oe.secrets", secrets, 0o600)
        for name, lines in policies.items():
            text = lines if isinstance(lines, str) else "\n".join(map(str, lines))
            self.write(f"{OE_DIR}/policies/{name}", text.strip() + "\n")

    def import_p12(self, pki, name=None):
        """A host's own PKCS#12 file of a Pki, by oectl import."""
        run = self.run(state.builddir("oectl/oectl"), "import", pki.path(f"{name or self.name}.p12"),
                       "--pki-dir", f"{OE_DIR}/pki", text=PASSPHRASE + "\n")
        if run.returncode:
            raise RuntimeError(f"{self.name}: oectl import: {run.stderr}")
        return run.stdout

    def import_ca(self, pki):
        """The CA alone, as a file where a PEM file belongs."""
        with open(pki.path("ca.pem"), encoding="ascii") as file:
            self.write(f"{OE_DIR}/pki/cacerts/fleet.pem", file.read())

    def oe_start(self, *options, wait=True, limit=10.0):
        """Start the configured daemon; ready is what it tells systemd (READY=1)."""
        notify = self.call(open_notify, "/run/oe-notify")
        daemon = self.start("oe-resolverd", state.builddir("oe-resolverd"), "-c", f"{OE_DIR}/oe.conf",
                            *options, env={"NOTIFY_SOCKET": "/run/oe-notify"})
        if wait and not wait_notify(notify, daemon, limit):
            tap.fail(f"{self.name}: oe-resolverd is ready within {limit:.0f} s")
            tap.bail("the daemon does not start")
        self.oe_daemon = daemon
        return daemon

    def oe_run(self, *options):
        """oe-resolverd to its end (-n, --closed, --release, --flush): CompletedProcess."""
        return self.run(state.builddir("oe-resolverd"), "-c", f"{OE_DIR}/oe.conf", *options)

    def oectl(self, *words):
        """oectl WORDS --json: the parsed answer; raises when it fails."""
        if not os.path.exists(state.builddir("oectl/oectl")):
            return self.control({"command": words[0], **({"name": words[1]} if len(words) > 1 else {})})
        run = self.oectl_run(*words, "--json")
        if run.returncode:
            raise RuntimeError(f"{self.name}: oectl {' '.join(words)}: {run.stderr.strip()}")
        return json.loads(run.stdout)

    def control(self, request):
        """What oectl does, without a process."""
        def talk():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(OE_SOCKET)
                sock.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(sock.makefile().readline())
        answer = self.call(talk)
        if not answer["ok"]:
            raise RuntimeError(f"{self.name}: {request}: {answer['error']}")
        return answer["result"]

    def oectl_run(self, *words):
        return self.run(state.builddir("oectl/oectl"), "-s", OE_SOCKET, *words)

    def peer(self, remote):
        """The flow to a remote host as oectl peers has it, or None; tunnelled flows first."""
        theirs = remote.addresses if hasattr(remote, "addresses") else [str(remote)]
        found = [p for p in self.oectl("peers") if p["remote"].split("/")[0] in theirs]
        return sorted(found, key=lambda p: p["state"] != "tunnelled")[0] if found else None

    # --- libreswan ------------------------------------------------------------

    def start_libreswan(self, conf=None, policies=None, secrets="", auth="null", extra="", setup=""):
        """pluto with the groups that policies names (in the HOWTO's manner), or with conf."""
        if conf is None:
            conf = "\n".join(group_conn(name, auth, extra) for name in policies or {})
        head = "config setup\n\tlogtime=yes\n\tlogappend=no\n\tnssdir=/var/lib/ipsec/nss\n"
        head += "".join(f"\t{line.strip()}\n" for line in setup.splitlines() if line.strip())
        self.write("/etc/ipsec.conf", f"{head}\n{conf}")
        self.write("/etc/ipsec.secrets", secrets, 0o600)
        for name in ("private", "private-or-clear", "clear-or-private", "clear", "block"):
            self.write(f"/etc/ipsec.d/policies/{name}", "")
        for name, lines in (policies or {}).items():
            text = lines if isinstance(lines, str) else "\n".join(map(str, lines))
            self.write(f"/etc/ipsec.d/policies/{name}", text.strip() + "\n")

        def folders():
            os.makedirs("/run/pluto", exist_ok=True)
            if not os.path.exists("/var/lib/ipsec/nss/cert9.db"):
                shutil.copytree("/usr/lib/oe-lab/nss", "/var/lib/ipsec/nss", dirs_exist_ok=True)
        self.call(folders)
        daemon = self.start("pluto", "/usr/libexec/ipsec/pluto", "--config", "/etc/ipsec.conf",
                            "--nofork", "--stderrlog")
        # pluto runs addconn by itself; groups are read last.
        groups = len([name for name in policies or {} if f"conn {name}\n" in conf])
        if not daemon.wait_log("loading group", 15, count=groups, since=daemon.began) and groups:
            tap.bail(f"{self.name}: pluto does not load its groups")
        if not self.appears("/run/pluto/pluto.ctl"):
            tap.bail(f"{self.name}: pluto does not start")
        # Its traps come half a second later; --status is answered when it has settled.
        self.whack("--status")
        return daemon

    def nss_import(self, pki):
        """A host's PKCS#12 file into libreswan's database, and its CA believed, as `ipsec import` does."""
        # Not by itself: it hands no passphrase on, and its pk12util asks only at a controlling terminal.
        base = "/var/lib/ipsec/nss"
        self.call(shutil.copytree, "/usr/lib/oe-lab/nss", base, dirs_exist_ok=True)
        for words in (["pk12util", "-i", pki.path(f"{self.name}.p12"), "-W", PASSPHRASE, "-K", ""],
                      ["certutil", "-A", "-n", pki.name, "-t", "CT,,", "-i", pki.path("ca.pem")]):
            run = self.run(*words, "-d", f"sql:{base}")
            if run.returncode:
                raise RuntimeError(f"{self.name}: {' '.join(words)}: {run.stdout} {run.stderr}")

    def whack(self, *words):
        return self.run("/usr/libexec/ipsec/whack", *words)

    # --- strongSwan -----------------------------------------------------------

    def start_strongswan(self, swanctl_conf, pki=None, quiet=False, more=""):
        """charon-systemd in the foreground, with everything in swanctl.conf loaded, and our files of a Pki.

        more: a line of strongswan.conf;
        quiet: it logs nothing and lets one peer open as many IKE SAs as it likes, for measurements."""
        text = STRONGSWAN_CONF.format(level=-1, ike=-1, more="dos_protection = no") if quiet else \
            STRONGSWAN_CONF.format(level=1, ike=2, more=more)
        self.write("/etc/strongswan.conf", text)
        self.write("/etc/swanctl/swanctl.conf", swanctl_conf)

        def folders():
            for name in ("x509", "x509ca", "private", "conf.d"):
                os.makedirs(f"/etc/swanctl/{name}", exist_ok=True)
        self.call(folders)
        if pki:
            for name, folder in ((f"{self.name}.pem", "x509"), (f"{self.name}.key", "private"),
                                 ("ca.pem", "x509ca")):
                self.call(shutil.copy, pki.path(name), f"/etc/swanctl/{folder}/{name}")
        daemon = self.start("charon", "/usr/sbin/charon-systemd")
        if not self.appears("/run/charon.vici"):
            tap.bail(f"{self.name}: charon does not start")
        run = self.swanctl("--load-all", "--noprompt")
        if run.returncode:
            tap.diag(f"{self.name}: swanctl: {run.stdout} {run.stderr}")
        return daemon

    def swanctl(self, *words):
        return self.run("/usr/sbin/swanctl", *words)

    # --- DNS ------------------------------------------------------------------

    def start_nsd(self, zone, origin="example."):
        """nsd, authoritative for one zone; see zone_text."""
        self.write("/etc/nsd/zone", zone_text(zone, origin))
        self.write("/etc/nsd/nsd.conf", NSD_CONF.format(
            origin=origin, listen="".join(f"\tip-address: {a}\n" for a in self.addresses + ["127.0.0.1"])))
        self.call(os.makedirs, "/var/lib/nsd", exist_ok=True)
        daemon = self.start("nsd", "/usr/sbin/nsd", "-d", "-c", "/etc/nsd/nsd.conf")
        if not wait_for(lambda: self.dns(origin.rstrip("."), "SOA", server="127.0.0.1",
                                         timeout=0.3).rcode == "NOERROR", 15):
            tap.bail(f"{self.name}: nsd does not answer")
        return daemon

    def appears(self, path, limit=10.0):
        return wait_for(lambda: self.call(os.path.exists, path), limit, 0.05)


def open_notify(path):
    if os.path.exists(path):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    os.chmod(path, 0o666)
    sock.settimeout(0.2)
    return sock


def wait_notify(sock, daemon, limit):
    def ready():
        try:
            return "READY=1" in sock.recv(4096).decode().split("\n") or None
        except TimeoutError:
            return None if daemon.running else "ended"
    with sock:
        return wait_for(ready, limit, 0) is True


STRONGSWAN_CONF = """charon-systemd {{
	load = random nonce openssl aes sha1 sha2 hmac kdf gcm pem x509 pubkey pkcs1 pkcs8 curve25519 chapoly constraints kernel-netlink socket-default updown vici
	install_routes = no
	retransmit_base = 1.4
	retransmit_timeout = 1.0
	{more}
	filelog {{
		log {{
			path = /proc/self/fd/2
			default = {level}
			ike = {ike}
			flush_line = yes
		}}
	}}
}}
swanctl {{
	load = random openssl pem x509 pkcs1 pkcs8 curve25519
}}
"""

NSD_CONF = """server:
	username: ""
	zonesdir: "/etc/nsd"
	zonelistfile: "/var/lib/nsd/zone.list"
	xfrdfile: "/var/lib/nsd/xfrd.state"
	pidfile: ""
	database: ""
{listen}	server-count: 1
	rrl-size: 16
	verbosity: 1
remote-control:
	control-enable: no
zone:
	name: "{origin}"
	zonefile: "zone"
"""
