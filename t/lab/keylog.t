#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""ike-keylog=: with its files, Wireshark reads IKE and ESP of a capture."""
import os
import re
import shutil
import stat
import subprocess

from lab import *

SUITES = {"gcm": ("", "AES-GCM with 16 octet ICV"),
          "cbc": ("ike=aes256-sha2_256;x25519\n\tesp=aes128-sha2_512", "AES-CBC")}

wire = Wire()
dns = wire.dns_host({})
for suite, (extra, name) in SUITES.items():
    a, b = wire.host(f"{suite}-a"), wire.host(f"{suite}-b")
    log = state.out(f"{suite}.keys")
    for host, setup in ((a, f"ike-keylog={log}"), (b, "")):
        host.oe(policies={"private": "192.0.2.0/24"}, forward=dns, auth="null", extra=extra, setup=setup)
    is_(a.ping(b, count=3, limit=3), 3, f"{suite}: traffic")
    files = (log, f"{log}.esp")
    is_([stat.S_IMODE(os.stat(path).st_mode) for path in files], [0o600, 0o600], f"{suite}: the files are root's")
    ike, esp = (open(path, encoding="ascii").read().splitlines() for path in files)
    is_((len(ike), len(esp)), (1, 2), f"{suite}: one IKE SA, two of ESP")
    ok(all(name in line for line in esp), f"{suite}: {esp[0].split(',')[4]}")
    with open(a.daemons[0].log, encoding="utf-8") as text:
        ok("THE KEYS OF EVERY TUNNEL ARE WRITTEN" in text.read(), f"{suite}: the log is loud")
    with open(b.daemons[0].log, encoding="utf-8") as text:
        ok("KEYS" not in text.read(), f"{suite}: the other has none")
    if not shutil.which("tshark"):
        note("no tshark here: whether it can read them was not tried")
        continue
    wire.capture.settle(0.5)
    wire.capture.save(state.out(f"{suite}.pcap"))
    uats = [word for kind, lines in (("ikev2_decryption_table", ike), ("esp_sa", esp)) for line in lines
            for word in ("-o", f"uat:{kind}:{line}")]
    shown = subprocess.run(["tshark", "-r", state.out(f"{suite}.pcap"), "-n", "-o", "esp.enable_encryption_decode:TRUE",
                            "-o", "esp.enable_authentication_check:TRUE", *uats, "-V", "-Y",
                            f"ip.addr=={a.v4}"], capture_output=True, text=True, check=False).stdout
    auths = len(re.findall(r"Payload: Identification - Initiator", shown))
    echoes = len(re.findall(r"Type: 8 \(Echo \(ping\) request\)", shown))
    # More than one where a slow machine made us repeat the request.
    ok(auths >= 1 and echoes >= 3, f"{suite}: tshark reads IKE_AUTH ({auths}) and what ESP carries ({echoes})")
