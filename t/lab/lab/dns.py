# SPDX-License-Identifier: GPL-2.0-or-later
"""A small DNS client: one question, one parsed answer (RFC 1035, 6891, 8914)."""
import ipaddress
import os
import socket
import struct
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "OPT": 41, "DS": 43, "RRSIG": 46, "DNSKEY": 48, "SVCB": 64, "HTTPS": 65, "ANY": 255}
NAMES = {value: name for name, value in TYPES.items()}
CLASSES = {"IN": 1, "CH": 3}
RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
FLAGS = {"qr": 0x8000, "aa": 0x400, "tc": 0x200, "rd": 0x100, "ra": 0x80, "ad": 0x20, "cd": 0x10}


class Answer:
    """rcode, flags (set of names), records [(name, type, ttl, value)], addresses, ede (code, text)
    or None, ms (time taken), raw. After a time-out rcode is "TIMEOUT"."""

    def __init__(self, ms, raw=None):
        self.ms, self.raw = ms, raw
        self.rcode, self.flags, self.ede, self.edns = "TIMEOUT", set(), None, False
        self.records, self.authority = [], []
        if raw is not None:
            self._parse(raw)

    @property
    def addresses(self):
        return [value for _, kind, _, value in self.records if kind in ("A", "AAAA")]

    @property
    def texts(self):
        return [value for _, kind, _, value in self.records if kind == "TXT"]

    def _parse(self, raw):
        _, flags, questions, answers, authority, additional = struct.unpack_from("!6H", raw)
        self.flags = {name for name, bit in FLAGS.items() if flags & bit}
        rcode = flags & 15
        at = 12
        for _ in range(questions):
            _, at = read_name(raw, at)
            at += 4
        for section, count in ((self.records, answers), (self.authority, authority), (None, additional)):
            for _ in range(count):
                name, at = read_name(raw, at)
                kind, _, ttl, length = struct.unpack_from("!HHIH", raw, at)
                at += 10
                if kind == TYPES["OPT"]:
                    rcode |= ttl >> 24 << 4
                    self.edns = True
                    self._parse_options(raw[at:at + length])
                elif section is not None:
                    section.append((name, NAMES.get(kind, str(kind)), ttl, read_data(raw, at, kind, length)))
                at += length
        self.rcode = RCODES[rcode] if rcode < len(RCODES) else str(rcode)

    def _parse_options(self, data):
        while len(data) >= 4:
            code, length = struct.unpack_from("!HH", data)
            if code == 15:
                self.ede = (struct.unpack_from("!H", data, 4)[0],
                            data[6:4 + length].decode("utf-8", "replace"))
            data = data[4 + length:]

    def __str__(self):
        ede = f" EDE {self.ede[0]} \"{self.ede[1]}\"" if self.ede else ""
        return f"{self.rcode} {self.addresses or self.records} in {self.ms:.1f} ms{ede}"


def read_name(raw, at):
    labels, end = [], None
    while True:
        length = raw[at]
        if length & 0xC0 == 0xC0:
            if end is None:
                end = at + 2
            at = struct.unpack_from("!H", raw, at)[0] & 0x3FFF
            continue
        at += 1
        if length == 0:
            return ".".join(labels) or ".", at if end is None else end
        labels.append(raw[at:at + length].decode("ascii", "replace"))
        at += length


def read_data(raw, at, kind, length):
    data = raw[at:at + length]
    if kind in (TYPES["A"], TYPES["AAAA"]):
        return str(ipaddress.ip_address(data))
    if kind in (TYPES["CNAME"], TYPES["NS"], TYPES["PTR"]):
        return read_name(raw, at)[0]
    if kind == TYPES["TXT"]:
        texts = []
        while data:
            texts.append(data[1:1 + data[0]].decode("utf-8", "replace"))
            data = data[1 + data[0]:]
        return "".join(texts)
    return data


def build_query(name, kind, klass, edns, do, cd):
    ident = int.from_bytes(os.urandom(2), "big")
    flags = FLAGS["rd"] | (FLAGS["cd"] if cd else 0)
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".") if l)
    query = struct.pack("!6H", ident, flags, 1, 0, 0, 1 if edns else 0) + labels + b"\0"
    query += struct.pack("!HH", TYPES.get(kind, kind), CLASSES[klass])
    if edns:
        query += struct.pack("!BHHIH", 0, TYPES["OPT"], 1232, 0x8000 if do else 0, 0)
    return query


def ask(name, kind="A", server="127.0.0.53", port=53, klass="IN", edns=True, do=False, cd=False,
        tcp=False, timeout=8.0, tries=1):
    """Blocking; runs in the network namespace of the calling thread."""
    query = build_query(name, kind, klass, edns, do, cd)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    started = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((server, port))
            for _ in range(tries):
                sock.sendall((struct.pack("!H", len(query)) if tcp else b"") + query)
            while True:
                raw = read_tcp(sock) if tcp else sock.recv(65535)
                if raw[:2] == query[:2]:
                    return Answer((time.monotonic() - started) * 1000, raw)
        except (TimeoutError, ConnectionError):
            return Answer((time.monotonic() - started) * 1000)


def read_tcp(sock):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])
