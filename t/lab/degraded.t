#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rule C2: a start with broken files uses the last configuration that loaded, wherever other state is kept."""
from lab import *

wire = Wire()
a, b = wire.host("a"), wire.host("b")
dns = wire.dns_host({"b.example": b.v4})
policies = {"private": "192.0.2.0/28"}
b.oe(policies=policies, forward=dns, auth="secret", secrets=': PSK "kept as well"\n')
daemon = a.oe(policies=policies, forward=dns, auth="secret", secrets=': PSK "kept as well"\n',
              setup="statedir=/var/lib/elsewhere")
is_(a.oectl("status")["degraded"], False, "a good start is not degraded")
daemon.stop()

a.write("/etc/oe-resolverd/oe.conf", "config setup\n\tdns-holdd=2s\n")
a.write("/etc/oe-resolverd/policies/private", "not a line\n")
a.write("/etc/oe-resolverd/oe.secrets", "nonsense\n", 0o600)
is_(a.oe_run("-n").returncode, 1, "the files are broken now")
a.oe_run("--flush")
is_(a.oe_run("--closed").returncode, 0, "--closed works all the same")
ok("192.0.2.0/28" in a.xfrm_policies(), "and closes what was private")
mark = wire.now()
a.ping(b, limit=0.5)
is_(len(wire.clear(a, b, since=mark)), 0, "nothing leaves in the clear")

a.oe_start()
status = a.oectl("status")
ok(status["degraded"] and "oe.conf" in status["degraded_why"], f"degraded: {status['degraded_why']}")
is_(a.dns("b.example").addresses, [b.v4], "the last configuration that loaded is in use")
is_(a.ping(b, limit=3), 1, "with its secret")
is_(len(wire.clear(a, b)), 0, "and nothing went in the clear, ever")

a.oe_configure(policies=policies, forward=dns, auth="secret", secrets=': PSK "kept as well"\n')
reload = a.oectl_run("reload")
is_((reload.returncode, reload.stdout), (0, ""), "a good reload")
is_(a.oectl("status")["degraded"], False, "ends that")
a.oe_configure(policies={**policies, "block": "192.0.2.99"}, forward=dns, auth="secret", secrets="",
               setup="protostack=netkey")
reload = a.oectl_run("reload")
is_((reload.returncode, [word in reload.stdout for word in ("option 'protostack' has no effect", "there is no PSK")]),
    (0, [True, True]), f"a reload with reservations tells them: {reload.stdout}")
