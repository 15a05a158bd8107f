# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls that Python lacks: mounts, namespaces, modules."""
import ctypes
import os

MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
MNT_DETACH = 2
CLONE_NEWNS, CLONE_FS, CLONE_NEWNET, CLONE_NEWUTS = 0x20000, 0x200, 0x40000000, 0x4000000
SYS_FINIT_MODULE = 313

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _text(value):
    return None if value is None else value.encode()


def mount(source, target, kind, flags=0, data=None):
    _check(_libc.mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(data)),
           f"mount {source} on {target}")


def umount(target):
    """Lazily: what still uses it keeps it."""
    _check(_libc.umount2(_text(target), MNT_DETACH), f"umount {target}")


def unshare(flags):
    """Affects the calling thread only."""
    _check(_libc.unshare(flags), "unshare")


def sethostname(name):
    _check(_libc.sethostname(_text(name), len(name)), "sethostname")


def insmod(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        _check(_libc.syscall(SYS_FINIT_MODULE, fd, b"", 0), f"insmod {path}")
    finally:
        os.close(fd)
