# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets that outlive what happens to their host: a TCP connection and a connected UDP socket to an echo server."""
import os
import socket
import time


class Talk:
    """Made in a thread of its host's (talks does so); says() asks whether what is sent on it is echoed."""

    def __init__(self, host, kind, to, port=7, limit=10.0):
        self.host, self.kind, self.to = host, kind, str(to)
        self._sock = connect(kind, self.to, port, limit)

    def __str__(self):
        return f"{self.kind} to {self.to}"

    def says(self, limit):
        """Seconds until something that was sent now, or again, came back; None when it did not in time."""
        if not self._sock:
            return None
        began, word = time.monotonic(), os.urandom(8)
        return time.monotonic() - began if exchange(self._sock, word, began + limit) else None

    def close(self):
        if self._sock:
            self._sock.close()


def connect(kind, to, port, limit):
    """None where that is not possible."""
    sock = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET,
                         socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(limit)
    try:
        sock.connect((to, port))
    except OSError:
        sock.close()
        return None
    return sock


def exchange(sock, word, deadline):
    """A datagram is sent every tenth of a second; TCP sees to that itself."""
    stream = sock.type == socket.SOCK_STREAM
    got = b"" if not stream or send(sock, word) else None
    while got is not None and time.monotonic() < deadline:
        if not stream:
            send(sock, word)
        sock.settimeout(min(0.1, max(0.001, deadline - time.monotonic())))
        try:
            data = sock.recv(4096)
        except TimeoutError:
            continue
        except OSError:
            if stream:
                return False
            time.sleep(0.05)
            continue
        if stream and not data:
            return False
        got = (got + data)[-len(word):]
        if got == word:
            return True
    return False


def send(sock, data):
    try:
        sock.send(data)
    except OSError:
        return False
    return True


def talks(host, *tos, limit=10.0):
    """One of each kind to each address, opened side by side."""
    tasks = [host.spawn(Talk, host, kind, to, limit=limit) for to in tos for kind in ("tcp", "udp")]
    return [task.result() for task in tasks]


def silent(conversations, limit):
    """Those on which nothing comes back within limit, tried side by side."""
    tasks = [(talk, talk.host.spawn(talk.says, limit)) for talk in conversations]
    return [str(talk) for talk, task in tasks if task.result() is None]
