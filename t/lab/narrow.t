#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end grants less than a line, or asks for less (RFC 7296 2.9): the tunnel is for that, the
rest is what the group says, and afterwards the kernel has what it had before."""
from lab import *

SECRET = ': PSK "an old friend of both"\n'
WEB, OTHER, HIGH, HIGHER = 443, 7, 1500, 2048

SWANCTL = """
connections {{
	oe {{
		version = 2
		local_addrs = {me}
		remote_addrs = {peer}
		proposals = aes256gcm16-prfsha256-x25519
		local {{
			auth = psk
			id = {me}
		}}
		remote {{
			auth = psk
			id = {peer}
		}}
		children {{
			part {{
				local_ts = {local}
				remote_ts = {remote}
				esp_proposals = aes256gcm16-x25519{life}
				start_action = none
			}}
		}}
	}}
}}
secrets {{
	ike-psk {{
		secret = "an old friend of both"
	}}
}}
"""

LIBRESWAN = """conn part
	left={me}
	right={peer}
	leftprotoport=tcp/443
	rightprotoport=tcp
	authby=secret
	ikev2=insist
	narrowing=yes
	leftupdown="%disabled"
	auto=add
"""

wire = Wire()
NAMES = ("web", "open", "two", "theirs", "icmp", "six", "rekey", "own", "echo", "lsw", "lsw2", "shared", "both")
pairs = {name: (wire.host(f"o-{name}"), wire.host(f"s-{name}")) for name in NAMES}
dns = wire.dns_host({f"{name}.example": pair[1].v6 if name == "six" else pair[1].v4
                     for name, pair in pairs.items()})


def start(name, group="private", local="{me}[tcp/443]", remote="{peer}", v6=False, life="", extra="", second=None):
    """Our host with one line for the other one, and strongSwan there that knows of a part only."""
    ours, theirs = pairs[name]
    me, peer = (theirs.v6, ours.v6) if v6 else (theirs.v4, ours.v4)
    for port in (WEB, OTHER, HIGH, HIGHER):
        theirs.serve(port)
    lines = [me, f"{me} tcp 0 {second}"] if second else me
    ours.oe(policies={group: lines}, forward=dns, auth="secret", secrets=SECRET, extra=extra)
    theirs.start_strongswan(SWANCTL.format(
        me=me, peer=peer, local=local.format(me=me), remote=remote.format(peer=peer), life=life))
    return ours, theirs, me


def policies(host):
    """What the kernel has, without the numbers that differ each time."""
    return sorted(" ".join(entry.split()) for entry in host.xfrm_policies().split("\nsrc "))


def between(ours, theirs, mark):
    """What was between the two, in a word."""
    esp, clear = wire.esp(ours, theirs, since=mark), wire.clear(ours, theirs, since=mark)
    return "both" if esp and clear else "esp" if esp else "clear" if clear else "none"


def tries(ours, theirs, what, address, limit=2.0):
    """Whether it gets through, and as what."""
    mark = wire.now()
    if what == "ping":
        good = ours.ping(address, limit=limit) == 1
    else:
        good = ours.tcp_connect(address, what, limit=limit) is not None
    return good, between(ours, theirs, mark)


def goes(ours, theirs, before, label):
    """The other end takes the tunnel down: nothing of it is left."""
    theirs.swanctl("--terminate", "--ike", "oe")
    ok(wait_for(lambda: policies(ours) == before, 5), f"{label}: taken down, the kernel has what it had")


# --- we ask, the other end grants less

ours, theirs, address = start("web")
before = policies(ours)
answer = ours.dns("web.example")
is_(answer.addresses, [address], f"private, narrowed to tcp {WEB}: the lookup is answered: {answer}")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "what is granted goes in the tunnel")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "another port is dropped")
is_(tries(ours, theirs, "ping", address, 1), (False, "none"), "so is ping")
mark = wire.now()
theirs.ping(ours, limit=1)
is_([p for p in wire.clear(ours, theirs, since=mark) if p.src == ours.v4], [], "cleartext from there is not answered")
flow = ours.peer(theirs)
is_((flow["state"], flow["reason"]), ("blocked", f"the peer grants no more than tcp 0 {WEB}"), "oectl says so")
is_(flow["tunnels"], [f"tcp 0 {WEB}"], "and what the tunnel is for")
ours.oectl_run("reload")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "a reload leaves it as it is")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "the rest too")
goes(ours, theirs, before, "private")
mark = wire.now()
is_(tries(ours, theirs, WEB, address, 5), (True, "esp"), "a packet brings it up again, and is not lost")
ok(wire.ike(ours, theirs, since=mark), "by a negotiation")

ours, theirs, address = start("open", "private-or-clear")
before = policies(ours)
answer = ours.dns("open.example")
is_(answer.addresses, [address], f"private-or-clear: the lookup is answered: {answer}")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "what is granted goes in the tunnel")
is_(tries(ours, theirs, OTHER, address), (True, "clear"), "another port in the clear")
is_(ours.peer(theirs)["state"], "clear", "oectl says so")
goes(ours, theirs, before, "private-or-clear")

ours, theirs, address = start("two", local="{me}[tcp/443],{me}[udp/7]")
before = policies(ours)
ours.dns("two.example")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "two kinds in one answer: the first")
mark = wire.now()
ours.udp_send(address, OTHER)
ok(wait_for(lambda: len(wire.esp(ours, theirs, since=mark)) == 2, 3), "the second, and its answer")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "nothing else")
is_(ours.peer(theirs)["tunnels"], [f"tcp 0 {WEB}, udp 0 {OTHER}"], "one tunnel for both")
goes(ours, theirs, before, "two kinds")

ours, theirs, address = start("six", v6=True, local="{me}[tcp/1024-2047],{me}[tcp/443]")
before = policies(ours)
is_(ours.dns("six.example", "AAAA").addresses, [address], "IPv6, a range of ports and a port")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "the port goes in the tunnel")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "another one does not go")
ranges = {line.strip() for line in ours.xfrm_policies().splitlines() if "port 1024" in line}
is_(len(ranges), 2, f"the range is one policy each way: {ranges}")
is_(tries(ours, theirs, HIGH, address), (True, "esp"), "what is in it goes")
is_(tries(ours, theirs, HIGHER, address, 1), (False, "none"), "what is beyond does not")
goes(ours, theirs, before, "IPv6")

# --- the other end asks for less

ours, theirs, address = start("theirs")
before = policies(ours)
theirs.swanctl("--initiate", "--child", "part", "--timeout", "5")
ok(ours.has_sa(theirs), "strongSwan asks for a part: granted")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "that goes in the tunnel")
is_(ours.peer(theirs)["state"], "idle", "the rest is as it was")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "we ask for that, and are granted no more")
is_(ours.peer(theirs)["state"], "blocked", "so the rest is blocked")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "the part still goes in a tunnel")
goes(ours, theirs, before, "asked for by strongSwan")

ours, theirs, address = start("icmp", local="{me}[icmp/2048]", remote="{peer}[icmp/2048]")
theirs.swanctl("--initiate", "--child", "part", "--timeout", "5")
ok(ours.has_sa(theirs), "ICMP type and code: granted")
text = " ".join(ours.xfrm_policies().split())
ok("proto icmp type 8 code 0" in text, "and in the kernel as such")

# --- two lines of ours for one host, which has one for all

def share(ours, theirs, address, label):
    is_(tries(ours, theirs, OTHER, address, 5), (True, "esp"), f"two lines for one host, {label}: the first goes in a tunnel")
    is_(tries(ours, theirs, WEB, address, 5), (True, "esp"), f"{label}: the second, too")
    begun = [len({(p.initiator_spi, p.message_id) for p in wire.ike(ours, theirs) if p.exchange == kind and not p.response})
             for kind in ("IKE_SA_INIT", "CREATE_CHILD_SA")]
    is_(begun, [1, 1], f"{label}: on one IKE SA, by CREATE_CHILD_SA")


share(*start("shared", local="{me}", second=WEB), "strongSwan")
ours, theirs = pairs["both"]
for port in (WEB, OTHER):
    theirs.serve(port)
ours.oe(policies={"private": [theirs.v4, f"{theirs.v4} tcp 0 {WEB}"]}, forward=dns, auth="secret", secrets=SECRET)
whole = "".join(line for line in LIBRESWAN.splitlines(True) if "protoport" not in line)
theirs.start_libreswan(conf=whole.format(me=theirs.v4, peer=ours.v4), secrets=SECRET)
ok(wait_for(lambda: '"part"' in theirs.whack("--status").stdout, 10), "libreswan has its conn")
share(ours, theirs, theirs.v4, "libreswan")

# --- rekeyed, it stays what it is

ours, theirs, address = start("rekey", life="\n\t\t\t\trekey_time = 1h", extra="salifetime=4s\nrekeymargin=1s\nrekeyfuzz=0%")
ours.dns("rekey.example")
first = ours.peer(theirs)["spi_in"]
ok(wait_for(lambda: ours.peer(theirs).get("spi_in") not in (first, None), 10), "rekeyed by us")
is_(ours.peer(theirs)["tunnels"][0], f"tcp 0 {WEB}", "it is for the same")
is_(tries(ours, theirs, WEB, address), (True, "esp"), "which goes in the tunnel")
is_(tries(ours, theirs, OTHER, address, 1), (False, "none"), "and nothing else")

# --- both ends are ours, and the lines differ

ours, theirs = pairs["own"]
for port in (WEB, OTHER):
    theirs.serve(port)
ours.oe(policies={"private": theirs.v4}, forward=dns, auth="secret", secrets=SECRET)
theirs.oe(policies={"private": f"{ours.v4} tcp {WEB} 0"}, forward=dns, auth="secret", secrets=SECRET)
is_(ours.dns("own.example").addresses, [theirs.v4], "between two of ours, one with a line for a port")
is_(tries(ours, theirs, WEB, theirs.v4), (True, "esp"), "the port goes in the tunnel")
is_(tries(ours, theirs, OTHER, theirs.v4, 1), (False, "none"), "another one does not go")
is_(theirs.peer(ours)["state"], "tunnelled", "for the other end it is the whole line")

ours, theirs = pairs["echo"]
ours.oe(policies={"private": f"{theirs.v4} icmp {8 * 256} 0"}, forward=dns, auth="secret", secrets=SECRET)
theirs.oe(policies={"private": f"{ours.v4} icmp 0 {8 * 256}"}, forward=dns, auth="secret", secrets=SECRET)
before = policies(ours)
is_(tries(ours, theirs, "ping", theirs.v4, 5), (True, "esp"), "a line of ICMP type and code: held, then in the tunnel")
is_((ours.peer(theirs)["state"], theirs.peer(ours)["state"]), ("tunnelled", "tunnelled"), "all of it, for both")

# --- libreswan

for name in ("lsw", "lsw2"):
    ours, theirs = pairs[name]
    label = f"libreswan, {'we ask' if name == 'lsw' else 'it asks'}"
    for port in (WEB, OTHER):
        theirs.serve(port)
    ours.oe(policies={"private": theirs.v4}, forward=dns, auth="secret", secrets=SECRET)
    before = policies(ours)
    theirs.start_libreswan(conf=LIBRESWAN.format(me=theirs.v4, peer=ours.v4), secrets=SECRET)
    ok(wait_for(lambda t=theirs: '"part"' in t.whack("--status").stdout, 10), f"{label}: it has its conn")
    if name == "lsw":
        is_(ours.dns("lsw.example").addresses, [theirs.v4], f"{label}: the lookup is answered")
    else:
        theirs.whack("--initiate", "--name", "part", "--asynchronous")
    ok(ours.has_sa(theirs), f"{label}: the SAs stand")
    is_(tries(ours, theirs, WEB, theirs.v4), (True, "esp"), f"{label}: what is granted goes in the tunnel")
    is_(ours.peer(theirs)["tunnels"], [f"tcp 0 {WEB}"], f"{label}: oectl says what that is")
    is_(tries(ours, theirs, OTHER, theirs.v4, 1), (False, "none"), f"{label}: another port is dropped")
    theirs.whack("--delete", "--name", "part")
    ok(wait_for(lambda o=ours, b=before: policies(o) == b, 5), f"{label}: deleted, the kernel has what it had")

for name in ("web", "two", "theirs", "six", "rekey", "own", "echo", "lsw", "lsw2"):
    ours, theirs = pairs[name]
    mine = {ours.v4, ours.v6}
    is_([p for p in wire.clear(ours, theirs) if p.src in mine], [], f"{name}: nothing in the clear from us, ever")
is_(wire.capture.lost(), 0, "the capture lost nothing")
