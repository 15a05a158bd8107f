# SPDX-License-Identifier: GPL-2.0-or-later
"""Place: a thread that lives in its own namespaces. Host: a machine on a wire.
Daemon: a program on a host.

Namespaces belong to threads in Linux. Each place has a home thread that entered
its own; whatever must happen there (a socket, a program) is started by that
thread, and threads and processes that it starts inherit the place.
"""
import json
import os
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from . import dns as dns_client
from . import kernel, state, tap
from .peers import Peers
from .wait import wait_for

LOG_LINES = 60
NOISE = "test(ing| Case| [0-9])|Encrypting|one block|two blocks|empty string"  # pluto's self-test


class Task:
    """Something under way in a place. result() waits, and raises what it raised."""

    def __init__(self, function, args, kwargs):
        self._work = (function, args, kwargs)
        self._done = threading.Event()
        self._value = self._error = None

    def run(self):
        function, args, kwargs = self._work
        try:
            self._value = function(*args, **kwargs)
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error
        self._done.set()

    def result(self, limit=60.0):
        if not self._done.wait(limit):
            raise TimeoutError("the task has not ended")
        if self._error:
            raise self._error
        return self._value

    @property
    def done(self):
        return self._done.is_set()


class Place:
    """A network namespace, with a mount namespace when private is true."""

    def __init__(self, name, setup=None):
        self.name = name
        self._queue = queue.Queue()
        ready = Task(self._enter, (setup,), {})
        threading.Thread(target=self._live, args=(ready,), daemon=True, name=name).start()
        ready.result()

    def _enter(self, setup):
        kernel.unshare(kernel.CLONE_FS | kernel.CLONE_NEWNET)
        path = f"/run/netns/{self.name}"
        with open(path, "w", encoding="ascii"):
            pass
        kernel.mount("/proc/thread-self/ns/net", path, None, kernel.MS_BIND)
        if setup:
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS)
            kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
            setup()

    def _live(self, ready):
        ready.run()
        while task := self._queue.get():
            threading.Thread(target=task.run, daemon=True).start()

    def leave(self):
        """The place ends with the last program and thread in it."""
        self._queue.put(None)
        kernel.umount(f"/run/netns/{self.name}")
        os.unlink(f"/run/netns/{self.name}")

    def spawn(self, function, *args, **kwargs):
        """Begin function in a thread of this place; returns a Task."""
        task = Task(function, args, kwargs)
        self._queue.put(task)
        return task

    def call(self, function, *args, **kwargs):
        return self.spawn(function, *args, **kwargs).result()

    def run(self, *argv, text=None, limit=30):
        """Run a program here to its end: a CompletedProcess with text."""
        return self.call(subprocess.run, list(argv), input=text, text=True, capture_output=True,
                         check=False, timeout=limit, errors="replace")

    def _batch(self, program, lines):
        run = self.run(program, "-batch", "-", text="\n".join(lines) + "\n")
        if run.returncode:
            raise RuntimeError(f"{self.name}: {program}: {run.stderr.strip()}")

    def ip(self, *lines):
        """ip -batch: many commands for the price of one process."""
        self._batch("ip", lines)

    def ip_tc(self, *lines):
        self._batch("tc", lines)

    def nft(self, rules):
        run = self.run("nft", "-f", "-", text=rules)
        if run.returncode:
            raise RuntimeError(f"{self.name}: nft: {run.stderr.strip()}")

    def sysctl(self, **values):
        """sysctl(net_ipv4_ip_forward=1)"""
        def write():
            for key, value in values.items():
                with open("/proc/sys/" + "/".join(key.split("_", 2)), "w", encoding="ascii") as f:
                    f.write(str(value))
        self.call(write)

    def write(self, path, text, mode=0o644):
        """Write a file as this place sees it, folders included."""
        def write():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(path, mode)
        self.call(write)

    def read(self, path):
        def read():
            with open(path, encoding="utf-8", errors="replace") as f:
                return f.read()
        return self.call(read)


class Daemon:
    """A program that stays. log is its output's path; kill, stop, hup."""

    def __init__(self, host, name, argv, env=None):
        self.host, self.name = host, name
        self.log = state.out(f"{host.name}-{name}.log")
        self._notify = None
        with open(self.log, "ab") as out:
            self.began = out.tell()     # what is before is of an earlier run
            self.process = host.call(subprocess.Popen, argv, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=out, env=dict(os.environ, **(env or {})), cwd="/",
                                     start_new_session=True)
        host.daemons.append(self)

    @property
    def running(self):
        return self.process.poll() is None

    def text(self, since=0):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                f.seek(since)
                return f.read()
        except OSError:
            return ""

    def wait_log(self, pattern, limit=5.0, count=1, since=0):
        """Waits until the log has pattern count times, from a place on; the matches, or an empty list."""
        def found():
            matches = re.findall(pattern, self.text(since))
            return matches if len(matches) >= count else []
        return wait_for(found, limit)

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def hup(self):
        self.signal(signal.SIGHUP)

    def kill(self):
        """kill -9: no good-bye."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, limit=10.0):
        """SIGTERM; the exit status, or None if it did not end in time (then it is killed)."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Host(Place, Peers):
    """A machine: addresses v4, v6; its own /etc, /run, /var/lib, /var/log."""

    def __init__(self, wire, name, number, v4, v6):
        self.wire, self.number = wire, number
        self._v4_net, self._v6_net = v4, v6
        self.v4 = v4 and v4.split("/")[0]
        self.v6 = v6 and v6.split("/")[0]
        self.addresses = [a for a in (self.v4, self.v6) if a]
        self.daemons = []
        Place.__init__(self, name, setup=self._make_private)

    def __str__(self):
        return self.v4 or self.v6

    # --- set-up -----------------------------------------------------------

    def _make_private(self):
        kernel.sethostname(self.name)
        kernel.mount("tmpfs", "/etc", "tmpfs", data="mode=755")
        for entry in os.listdir("/lab/etc"):
            if entry not in PRIVATE_ETC:
                os.symlink(f"/lab/etc/{entry}", f"/etc/{entry}")
        for path in ("/run", "/var/lib", "/var/log"):
            os.makedirs(path, exist_ok=True)
            kernel.mount("tmpfs", path, "tmpfs", data="mode=755")
        files = {"hosts": "127.0.0.1 localhost\n::1 localhost\n", "hostname": self.name + "\n",
                 "resolv.conf": "nameserver 127.0.0.53\n",
                 "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"
                                  "services: files\nprotocols: files\n"}
        for entry, text in files.items():
            with open(f"/etc/{entry}", "w", encoding="utf-8") as f:
                f.write(text)

    def bring_up(self):
        def settings():
            for path in ("default", "all", "eth0"):
                for name in ("accept_dad", "router_solicitations"):
                    try:
                        with open(f"/proc/sys/net/ipv6/conf/{path}/{name}", "w", encoding="ascii") as f:
                            f.write("0")
                    except OSError:
                        pass
        self.call(settings)
        lines = ["link set lo up", "link set eth0 up"]
        if self._v4_net:
            lines.append(f"address add {self._v4_net} dev eth0")
        if self._v6_net:
            lines.append(f"address add {self._v6_net} dev eth0 nodad")
        # A gateway that is nobody: programs look for the default route to find their address.
        if self._v4_net:
            lines.append(f"route add default via {self.wire.v4.format(254).split('/')[0]}")
        if self._v6_net:
            lines.append(f"route add default via {self.wire.v6.format(254).split('/')[0]} dev eth0")
        self.ip(*lines)

    def reboot(self, before_link=None):
        """A new network namespace, whose kernel knows nothing, and new memory; what is on disk is kept. Programs
        are gone without a good-bye. before_link() runs before there is a link."""
        disk = self.call(read_trees, DISK)
        for daemon in self.daemons:
            daemon.kill()
        self.wire.place.ip(f"link delete dev {self.name}")
        kernel.umount(f"/run/netns/{self.name}")
        Place.__init__(self, self.name, setup=self._make_private)
        self.call(write_trees, disk)
        if before_link:
            before_link()
        self.wire.plug(self)
        self.bring_up()

    # --- programs -----------------------------------------------------------

    def start(self, name, *argv, env=None):
        """Start a program as a daemon of this host; the caller waits until it is ready."""
        return Daemon(self, name, list(argv), env)

    # --- stimulus -----------------------------------------------------------

    def dns(self, name, kind="A", **kwargs):
        """One DNS question (dns.ask): to the stub unless server= says otherwise."""
        return self.call(dns_client.ask, name, kind, **kwargs)

    def dns_start(self, name, kind="A", **kwargs):
        """The same under way: a Task."""
        return self.spawn(dns_client.ask, name, kind, **kwargs)

    def tcp_connect(self, to, port=7, limit=15.0, data=b"hello"):
        """Connect, send, await the echo: milliseconds that connect() took, or None."""
        return self.call(tcp_connect, address_of(to), port, limit, data)

    def tcp_connect_start(self, to, port=7, limit=15.0, data=b"hello"):
        return self.spawn(tcp_connect, address_of(to), port, limit, data)

    def ping(self, to, count=1, limit=2.0, interval=0.2):
        """ICMP echo by a socket: how many of count were answered."""
        return self.call(ping, address_of(to), count, limit, interval)

    def ping_start(self, to, count=1, limit=2.0, interval=0.2):
        return self.spawn(ping, address_of(to), count, limit, interval)

    def udp_send(self, to, port, data=b"x", sport=0):
        """One datagram, no answer awaited; False when the kernel refuses it."""
        def send():
            family = socket.AF_INET6 if ":" in address_of(to) else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind(("", sport))
                try:
                    sock.sendto(data, (address_of(to), port))
                except OSError:
                    return False
                return True
        return self.call(send)

    def getaddrinfo(self, name, port=0, family=0):
        """glibc's answer here: the list of addresses, or the error as a string."""
        def look():
            try:
                found = socket.getaddrinfo(name, port, family, socket.SOCK_STREAM)
            except socket.gaierror as error:
                return str(error)
            return [entry[4][0] for entry in found]
        return self.call(look)

    def connect_by_name(self, name, port=7, limit=10.0):
        """As an application does: getaddrinfo, then each address in turn. (address, ms) or None."""
        def look():
            started = time.monotonic()
            with socket.create_connection((name, port), limit) as sock:
                return sock.getpeername()[0], (time.monotonic() - started) * 1000
        try:
            return self.call(look)
        except OSError:
            return None

    def serve(self, port=7):
        """TCP and UDP echo on every address of this host, until the lab ends."""
        self.call(serve, port)

    # --- the kernel's view ----------------------------------------------------

    def xfrm_states(self):
        return self.run("ip", "-s", "xfrm", "state").stdout

    def xfrm_policies(self):
        return self.run("ip", "xfrm", "policy", "list", "nosock").stdout

    def netstat(self, name):
        """A counter of TcpExt in /proc/net/netstat."""
        names, values = (line.split() for line in self.read("/proc/thread-self/net/netstat").splitlines()[:2])
        return int(values[names.index(name)])

    def xfrm_stat(self):
        """The counters of /proc/net/xfrm_stat that are not 0."""
        counters = {}
        for line in self.read("/proc/thread-self/net/xfrm_stat").splitlines():
            name, value = line.split()
            if int(value):
                counters[name] = int(value)
        return counters

    def esp_states(self):
        """Source, destination and SPI of each SA; larval ones have none and are left out."""
        return re.findall(r"src (\S+) dst (\S+)\s+proto esp spi (0x(?!00000000)\w+)",
                          self.run("ip", "xfrm", "state").stdout)

    def has_sa(self, to, limit=5.0):
        """Waits until an SA pair with an SPI of this host and to stands."""
        ours, theirs = self.addresses, to.addresses

        def both():
            pairs = self.esp_states()
            return (any(s in ours and d in theirs for s, d, _ in pairs)
                    and any(s in theirs and d in ours for s, d, _ in pairs))
        return wait_for(both, limit, 0.1)

    # --- afterwards -----------------------------------------------------------

    def kernel_text(self):
        parts = [("ip xfrm state", self.xfrm_states()), ("ip xfrm policy", self.xfrm_policies()),
                 ("xfrm_stat", json.dumps(self.xfrm_stat()))]
        return "".join(f"--- {self.name}: {title}\n{text.rstrip()}\n" for title, text in parts)

    def explain(self):
        for daemon in self.daemons:
            lines = [l for l in daemon.text().splitlines() if not re.search(NOISE, l)]
            status = "running" if daemon.running else f"ended with {daemon.process.returncode}"
            tap.diag(f"--- {self.name}: {daemon.name} ({status}), last of {len(lines)} lines")
            tap.diag("\n".join(lines[-LOG_LINES:]))
        tap.diag(self.kernel_text())

    def keep(self):
        with open(state.out(f"{self.name}-kernel.txt"), "w", encoding="utf-8") as f:
            f.write(self.kernel_text())


# What a host has of its own in /etc; the rest is the machine's.
PRIVATE_ETC = {"hosts", "hostname", "resolv.conf", "nsswitch.conf", "oe-resolverd", "ipsec.conf",
               "ipsec.d", "ipsec.secrets", "swanctl", "strongswan.conf", "strongswan.d", "nsd"}


# What a host's disk has.
DISK = ("/etc/oe-resolverd", "/var/lib/oe-resolverd")


def read_trees(tops):
    """{path: (mode, bytes)} of every file."""
    files = {}
    for top in tops:
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    files[path] = os.stat(path).st_mode & 0o7777, f.read()
    return files


def write_trees(files):
    for path, (mode, data) in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)


def address_of(to):
    return str(to)


def tcp_connect(address, port, limit, data):
    started = time.monotonic()
    try:
        with socket.create_connection((address, port), limit) as sock:
            taken = (time.monotonic() - started) * 1000
            if data:
                sock.sendall(data)
                if not sock.recv(len(data)):
                    return None
            return taken
    except OSError:
        return None


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ping(address, count, limit, interval):
    v6 = ":" in address
    family, proto = (socket.AF_INET6, 58) if v6 else (socket.AF_INET, 1)
    ident, answered = os.urandom(2), set()
    with socket.socket(family, socket.SOCK_RAW, proto) as sock:
        try:
            sock.connect((address, 0))
        except OSError:
            return 0
        for number in range(count):
            head = ident + struct.pack("!H", number) + b"oe-lab-ping-----"
            kind = 128 if v6 else 8
            packet = struct.pack("!BBH", kind, 0, 0) + head
            if not v6:
                packet = struct.pack("!BBH", kind, 0, checksum(packet)) + head
            try:
                sock.send(packet)
            except OSError:
                pass
            last = number == count - 1
            collect(sock, v6, ident, answered, limit if last else interval, count if last else None)
    return len(answered)


def collect(sock, v6, ident, answered, limit, enough):
    """Reads echo replies for limit seconds, or until enough distinct ones came."""
    deadline = time.monotonic() + limit
    while enough is None or len(answered) < enough:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        sock.settimeout(left)
        try:
            data = sock.recv(2048)
        except OSError:
            continue
        if not v6:
            data = data[(data[0] & 15) * 4:]
        if len(data) >= 8 and data[0] == (129 if v6 else 0) and data[4:6] == ident:
            answered.add(data[6:8])


def serve(port):
    """Threads that echo; they live in the place of the caller."""
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.bind(("::", port))

    def echo(sock):
        with sock:
            while True:
                try:
                    data = sock.recv(65536)
                    if not data:
                        return
                    sock.sendall(data)
                except OSError:
                    return

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=echo, args=(sock,), daemon=True).start()

    def echo_datagrams():
        while True:
            try:
                datagrams.sendto(*datagrams.recvfrom(65536))
            except OSError:
                pass
    for work in (accept, echo_datagrams):
        threading.Thread(target=work, daemon=True).start()
