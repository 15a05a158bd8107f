#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes in is held to the line as what goes out is: before, during and after a tunnel, and what is forwarded, too; a line
with a protocol and ports is about these alone; a stop tells the peers."""
import select
import socket
import struct

from lab import *

LIMIT = 10.0
PORT = 9

wire = Wire()
a = wire.host("a")
must, should, may, mallory = (wire.host(name) for name in ("must", "should", "may", "mallory"))
PEERS = {"private": must, "private-or-clear": should, "clear-or-private": may}


def both(host):
    return [f"{host.v4}/32", f"{host.v6}/128"]


def listen(host):
    """One socket for datagrams of either family."""
    def bound():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::", PORT))
        return sock
    return host.call(bound)


def forged(host, source, to, text):
    """A datagram in the clear that says that it is from source."""
    def send():
        udp = struct.pack("!HHHH", 7, PORT, 8 + len(text), 0) + text
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        ends = socket.inet_pton(family, source) + socket.inet_pton(family, to)
        if family == socket.AF_INET6:  # where a checksum must be
            total = sum(struct.unpack(f"!{(len(ends + udp) + 1) // 2}H", ends + udp + b"\0" * (len(udp) % 2))) + len(udp) + 17
            while total >> 16:
                total = (total >> 16) + (total & 0xFFFF)
            udp = udp[:6] + struct.pack("!H", ~total & 0xFFFF or 0xFFFF) + udp[8:]
            head = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64)
        else:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            sock.sendto(head + ends + udp, (to, 0))
    host.call(send)


def comes(sock, limit):
    ready, _, _ = select.select([sock], [], [], limit)
    return sock.recv(100) if ready else None


def accepts(label, sock, open_to, target=None):
    """Whose cleartext comes in, of all three and on either family."""
    for group, peer in PEERS.items():
        for source, to in zip((peer.v4, peer.v6), target or (a.v4, a.v6)):
            text = f"{label} {source}".encode()
            forged(mallory, source, to, text)
            wanted = text if group in open_to else None
            is_(comes(sock, LIMIT if wanted else 0.3), wanted, f"{label}: {group}, {source}: {'accepted' if wanted else 'dropped'}")


def begin(host, policies):
    host.oe(policies=policies, extra="retransmit-timeout=2s")
    host.serve()


begin(a, {group: both(peer) for group, peer in PEERS.items()})
for group, peer in PEERS.items():
    begin(peer, {"private": both(a)})
inbox = listen(a)
accepts("before", inbox, ("private-or-clear", "clear-or-private"))
for peer in PEERS.values():
    ok(wait_for(lambda: peer.ping(a.v4, limit=1) and peer.ping(a.v6, limit=1), LIMIT), f"{peer.name} has its tunnels")
accepts("during", inbox, ())

# --- a line with ports is about these, and one whose negotiation fails no more than the others -----------------------
w = wire.host("w", v6=False)
for port in (80, 443, 7):
    w.serve(port)
silent = wire.host("silent", v6=False)
for port in (80, 443, 7):
    silent.serve(port)
mark = wire.now()
lines = {"private": [f"{h} tcp 0 443" for h in (w.v4, silent.v4)], "private-or-clear": [f"{h} tcp 0 80" for h in (w.v4, silent.v4)]}
u = wire.host("u", v6=False)
u.oe(policies=lines, extra="retransmit-timeout=1s")
w.oe(policies={"clear-or-private": [f"{u.v4} tcp 443 0", f"{u.v4} tcp 80 0"]})
wire.silence_ike(silent)
tasks = [u.tcp_connect_start(silent, port, limit=3) for port in (443, 80, 7)]
results = [task.result() for task in tasks]
ok(results[0] is None and results[1] and results[2], f"a host without IKE: closed on 443, in the clear on 80 and 7 ({results})")
is_(len([p for p in wire.clear(u, silent, since=mark, one_way=True) if p.dport == 7 and "S" in p.detail]), 1,
    "and what no line is about does not wait: its first SYN is answered")
is_({p.dport for p in wire.clear(u, silent, since=mark, one_way=True)} - {80, 7}, set(), "nothing of 443 in the clear")
shunts = [text for text in u.xfrm_policies().split("\nsrc ") if f"dst {silent}/32" in text.split("\n")[0]]
ok(shunts and all("proto tcp" in text and "dport" in text for text in shunts), "every policy for that host is for its line's port")
wire.lose_nothing()
ok(u.tcp_connect(w, 443, limit=5) and u.tcp_connect(w, 80, limit=5), "a host with IKE: both ports")
is_([p for p in wire.clear(u, w) if {p.sport, p.dport} & {80, 443}], [], "in tunnels")
flows = [p for p in u.oectl("peers") if p["remote"] == w.v4]
is_([p["state"] for p in flows], ["tunnelled"] * 2, "a flow for each line")

# --- two lines of one group for one host share an IKE SA ----------------------------------------------------------------
w.oe_daemon.stop()
u.oe_daemon.stop()
w.oe_configure(policies={"clear-or-private": [u.v4, f"{u.v4} tcp 443 0"]})
u.oe_configure(policies={"private": [w.v4, f"{w.v4} tcp 0 443"]})
w.oe_start()
u.oe_start()
mark = wire.now()
tasks = [u.tcp_connect_start(w, port, limit=5) for port in (443, 80)]
ok(all(task.result() for task in tasks), "two lines of one group for one host: both are served")
is_([p["state"] for p in u.oectl("peers") if p["remote"] == w.v4], ["tunnelled"] * 2, "two tunnels")
is_([p for p in wire.clear(u, w, since=mark)], [], "that carry all")
begun = [{p.message_id for p in wire.ike(u, w, since=mark) if p.exchange == kind and not p.response}
         for kind in ("IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA")]
is_([len(ids) for ids in begun], [1, 1, 1], "one IKE SA, whose second tunnel is asked for by CREATE_CHILD_SA")
is_(len({p.initiator_spi for p in wire.ike(u, w, since=mark) if p.exchange == "IKE_SA_INIT"}), 1, "and no other")

# --- one of the two loses its SAs -----------------------------------------------------------------------------------
def tunnels():
    return {p["tunnels"][0]: p["spi_in"] for p in u.oectl("peers") if p["remote"] == w.v4 and p.get("tunnels")}


before = tunnels()
narrow, wide = sorted(before, key=len, reverse=True)
mark = wire.now()
u.ip(*(f"xfrm state delete src {src} dst {dst} proto esp spi {spi}" for p in u.oectl("peers") if p.get("spi_in") == before[narrow]
       for src, dst, spi in ((w.v4, u.v4, p["spi_in"]), (u.v4, w.v4, p["spi_out"]))))
ok(wait_for(lambda: u.tcp_connect(w, 443, limit=1), LIMIT), "somebody takes the SAs of one of the two away: it has others")
after = tunnels()
ok(after.get(narrow) not in (None, before[narrow]) and after.get(wide) == before[wide], f"the other's stay ({before}, {after})")
is_(wire.negotiations(u, w, since=mark), [], "on the same IKE SA")
is_(w.oectl("peers")[0]["state"], "tunnelled", "and the peer knows")

# --- a stop tells the peers -----------------------------------------------------------------------------------------
is_(a.oe_daemon.stop(), 0, "a stops")
for peer in PEERS.values():
    ok(peer.oe_daemon.wait_log("tunnel down: deleted by the peer", 3), f"{peer.name} is told at once")
accepts("stopped", inbox, ("private-or-clear", "clear-or-private"))
a.oe_start()
for peer in PEERS.values():
    ok(wait_for(lambda: peer.ping(a.v4, limit=1), LIMIT), f"{peer.name} has its tunnel again")
for peer in PEERS.values():
    a.control({"command": "down", "address": peer.v4})
    ok(wait_for(lambda: (a.peer(peer.v4) or {}).get("state") != "tunnelled", 3), f"{peer.name}: its tunnel is taken down")
    wire.cut(peer)
accepts("after", inbox, ("private-or-clear", "clear-or-private"))

# --- a router ---------------------------------------------------------------------------------------------------------
for peer in PEERS.values():
    wire.mend(peer)
wire.place.ip("link add name lan1 type bridge stp_state 0 mcast_snooping 0", "link set lan1 up",
              "link add dev a2 type veth peer name eth1 netns a", "link set dev a2 master lan1 up")
wire.ports["a2"] = a
a.ip("link set eth1 up", "address add 198.51.100.1/24 dev eth1", "address add 2001:db8:1::1/64 dev eth1 nodad")
inside = Host(wire, "inside", 2, "198.51.100.2/24", "2001:db8:1::2/64")
wire.ports["inside"] = inside
wire.hosts.append(inside)
wire.place.ip("link add dev inside type veth peer name eth0 netns inside", "link set dev inside master lan1 up")
inside.ip("link set lo up", "link set eth0 up", "address add 198.51.100.2/24 dev eth0", "address add 2001:db8:1::2/64 dev eth0 nodad",
          "route add default via 198.51.100.1", "route add default via 2001:db8:1::1 dev eth0")
a.sysctl(net_ipv4_ip_forward=1)
a.call(lambda: open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii").write("1"))
mallory.ip(f"route add 198.51.100.0/24 via {a.v4}", f"route add 2001:db8:1::/64 via {a.v6} dev eth0")
behind = listen(inside)
accepts("forwarded", behind, ("private-or-clear", "clear-or-private"), inside.addresses)
ok(wait_for(lambda: must.ping(a.v4, limit=1) and must.ping(a.v6, limit=1), LIMIT), "must has its tunnels")
accepts("forwarded during a tunnel", behind, ("private-or-clear", "clear-or-private"), inside.addresses)
mark = wire.now()
for to in (must.v4, must.v6):
    inside.udp_send(to, PORT)
    is_(inside.ping(to, limit=0.5), 0, f"to a private host nothing is forwarded: {to}")
is_(len([p for p in wire.clear(inside, must, since=mark) if p.port == "a"]), 0, "nor is it on the other wire")
is_(wire.capture.lost(), 0, "the capture lost nothing")
