# SPDX-License-Identifier: GPL-2.0-or-later
"""What was on the wire: frames read from its ports, parsed, and kept as pcap.

A frame counts where a host put it on the wire, before the wire delays or loses
it. Kinds: esp (also inside UDP 4500), ike, tcp, udp, icmp, icmp-error (an error
about somebody's packet), nd (neighbour and router discovery, MLD), arp, other.
A later fragment of IP is of its first one's kind. "clear" is everything but esp, ike, arp, nd and errors about
esp or ike.
"""
import ipaddress
import socket
import struct
import threading
import time

SO_TIMESTAMPNS = 35
SOL_PACKET, PACKET_STATISTICS = 263, 6
ETH_P_ALL = 3
PACKET_OUTGOING = 4
EXCHANGES = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL",
             43: "IKE_INTERMEDIATE", 44: "IKE_FOLLOWUP_KE"}
NOTIFY, SKF = 41, 53
ND_TYPES = set(range(130, 138)) | {143}


class Packet:
    """One frame: time (seconds since the capture began), port, src, dst, kind, detail, data. first_pieces: the
    kinds of the first fragments seen so far."""

    def __init__(self, when, port, data, first_pieces=None):
        self.time, self.port, self.data = when, port, data
        self._first_pieces = {} if first_pieces is None else first_pieces
        self.src = self.dst = None
        self.kind, self.detail = "other", ""
        self.sport = self.dport = None
        self.spi = self.exchange = self.message_id = None
        self.response = self.initiator_spi = self.fragment = self.notify = None
        try:
            self._parse_frame(data)
        except (struct.error, IndexError, ValueError):
            self.detail = "cut short"

    def _parse_frame(self, data):
        kind = struct.unpack_from("!H", data, 12)[0]
        if kind == 0x0806:
            self.kind = "arp"
            self.src, self.dst = (str(ipaddress.ip_address(data[i:i + 4])) for i in (28, 38))
        elif kind in (0x0800, 0x86DD):
            self._parse_ip(data[14:])

    def _parse_ip(self, ip):
        if ip[0] >> 4 == 4:
            self.src, self.dst = (str(ipaddress.ip_address(ip[i:i + 4])) for i in (12, 16))
            proto, rest = ip[9], ip[(ip[0] & 15) * 4:struct.unpack_from("!H", ip, 2)[0]]
            offset = struct.unpack_from("!H", ip, 6)[0]
            if offset & 0x3FFF:
                self._parse_piece(ip[4:6], offset & 0x1FFF, proto, rest)
                return
        else:
            self.src, self.dst = (str(ipaddress.ip_address(ip[i:i + 16])) for i in (8, 24))
            proto, rest = ip[6], ip[40:]
            while proto in (0, 43, 60):
                proto, rest = rest[0], rest[rest[1] * 8 + 8:]
        self._parse_payload(proto, rest)

    def _parse_piece(self, datagram, offset, proto, rest):
        key = self.src, self.dst, proto, datagram
        if offset == 0:
            self._parse_payload(proto, rest)
            self._first_pieces[key] = self.kind
            return
        self.kind = "esp" if proto == 50 else self._first_pieces.get(key, "other")
        self.detail = f"fragment of protocol {proto}"

    def _parse_payload(self, proto, rest):
        if proto == 50:
            self._take_esp(rest)
        elif proto == 17:
            self._take_udp(rest)
        elif proto == 6:
            self.sport, self.dport, self.kind = *struct.unpack_from("!HH", rest), "tcp"
            flags = "".join(n for bit, n in ((2, "S"), (16, "A"), (1, "F"), (4, "R")) if rest[13] & bit)
            self.detail = f"{self.sport} > {self.dport} {flags} {len(rest) - (rest[12] >> 4) * 4} bytes"
        elif proto in (1, 58):
            self._take_icmp(proto, rest)
        else:
            self.detail = f"protocol {proto}"

    def _take_esp(self, rest):
        self.kind, self.spi = "esp", struct.unpack_from("!I", rest)[0]
        self.detail = f"spi {self.spi:08x} seq {struct.unpack_from('!I', rest, 4)[0]}"

    def _take_udp(self, rest):
        self.sport, self.dport = struct.unpack_from("!HH", rest)
        body = rest[8:]
        if 4500 in (self.sport, self.dport):
            if body[:4] == b"\0\0\0\0":
                self._take_ike(body[4:])
            elif len(body) >= 8:
                self._take_esp(body)
                self.detail += " in UDP"
            else:
                self.kind, self.detail = "ike", "NAT keepalive"
        elif 500 in (self.sport, self.dport):
            self._take_ike(body)
        else:
            self.kind, self.detail = "udp", f"{self.sport} > {self.dport} {len(body)} bytes"

    def _take_ike(self, body):
        self.kind = "ike"
        self.initiator_spi, exchange, flags, self.message_id = struct.unpack_from("!Q10xBBI", body)
        self.exchange = EXCHANGES.get(exchange, str(exchange))
        self.response = bool(flags & 0x20)
        self.fragment = body[16] == SKF
        if body[16] == NOTIFY:
            self.notify = struct.unpack_from("!H", body, 34)[0]
        self.detail = (f"{self.exchange} {'response' if self.response else 'request'} "
                       f"{self.message_id} spi {self.initiator_spi:016x} {len(body)} bytes")

    def _take_icmp(self, proto, rest):
        kind, code = rest[0], rest[1]
        error = kind in (3, 11, 12) if proto == 1 else kind < 128
        if error:
            quoted = Packet.__new__(Packet)
            quoted.__init__(0, "", b"\0" * 12 + (b"\x08\x00" if proto == 1 else b"\x86\xdd") + rest[8:])
            self.kind, self.detail = "icmp-error", f"type {kind} code {code} about {quoted.kind}"
            self.about = quoted.kind
        elif proto == 58 and kind in ND_TYPES:
            self.kind, self.detail = "nd", f"type {kind}"
        else:
            self.kind, self.detail = "icmp", f"type {kind} code {code}"

    @property
    def clear(self):
        if self.kind == "icmp-error":
            return getattr(self, "about", "") not in ("ike", "esp")
        return self.kind not in ("esp", "ike", "arp", "nd")

    def __str__(self):
        return f"{self.time * 1000:9.1f} ms {self.port:>6} {self.src} > {self.dst} {self.kind} {self.detail}"


def clocks():
    """The monotonic clock and the wall's, of one moment: a reader that lost the processor between the two would
    move a frame into the past."""
    while True:
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 0.001:
            return before, wall


def arrival(control):
    """When the kernel had the frame, by the monotonic clock. It stamps by the clock that a test may set: an age
    that cannot be is none, so that a jump of the clock moves no frame out of what a test looks at."""
    now, wall = clocks()
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", value)
            age = wall - seconds - nanoseconds / 1e9
            return now - age if 0 <= age < 10 else now
    return now


class Capture:
    """Reads every port of a wire until stop(). Give the socket's owner: a thread in the wire's place."""

    def __init__(self, ports, started):
        self.packets = []
        self.started = started
        self.epoch = time.time() - (time.monotonic() - started)   # for the file
        self.newest = 0.0       # the time of the last frame that was read
        self.shared = False     # several tests at once: silence never comes
        self._ports = ports
        self._first_pieces = {}
        self._idle = threading.Event()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._running = True
        self._thread.start()

    def _read(self):
        while self._running:
            try:
                data, control, _, address = self._socket.recvmsg(65536, 64)
            except TimeoutError:
                self._idle.set()
                continue
            except OSError:
                return
            self._idle.clear()
            if address[2] == PACKET_OUTGOING or address[0] not in self._ports:
                continue
            when = arrival(control)
            self.packets.append(Packet(when - self.started, address[0], data, self._first_pieces))
            self.newest = when

    def settle(self, limit=2.0):
        """Waits until a tenth of a second passed without a frame (or the limit). Where the wire is shared,
        until what has been sent before is here."""
        called = time.monotonic()
        self._idle.clear()
        while not self._idle.wait(min(limit, 0.02) if self.shared else limit):
            if not self.shared or self.newest > called or time.monotonic() - called > limit:
                return

    def lost(self):
        """Frames that the kernel could not hand to us: must be 0 before a test says 'never'."""
        _, drops = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return drops

    def save(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1))
            for packet in self.packets:
                when = packet.time + self.epoch
                f.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(packet.data),
                                    len(packet.data)) + packet.data)
