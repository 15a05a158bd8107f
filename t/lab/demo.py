#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, shown: a lookup brings up a tunnel before its answer is released."""
from lab import *
from lab import tap

GROUP = {"private-or-clear": "192.0.2.0/28\n2001:db8::/124"}

tap.tell_story()


def say(text=""):
    tap.say(text)


def show(packets):
    for packet in packets:
        say(f"      {packet.time * 1000 - began:8.1f} ms  {packet.src:>10} > {packet.dst:<10} "
            f"{packet.kind.upper()} {packet.detail}")


say("Three hosts on a wire, each with oe-resolverd and one line in policies/private-or-clear:")
wire = Wire()
alice, www, files = wire.host("alice"), wire.host("www"), wire.host("files")
dns = wire.dns_host({"www.peer.example": www.v4})
for host in (alice, www, files):
    say(f"      {host.name:6} {host.v4}")
    host.oe(policies=GROUP, forward=dns)
    host.serve(80)

alice.dns("ns.example")  # so that no program is read from disk while we watch
say("\n1. alice looks up www.peer.example. The answer waits for the tunnel:\n")
began = wire.now() * 1000
answer = alice.dns("www.peer.example")
say(f"      {answer}\n")
say(f"   $ oectl trace www.peer.example\n{alice.oectl_run('trace', 'www.peer.example').stdout}")
say("   On the wire, with alice's first ping after the answer:\n")
mark = wire.now()
pinged = alice.ping(www)
show(wire.seen(alice, www, since=began / 1000))
ok(answer.rcode == "NOERROR" and answer.addresses == [www.v4], "the lookup was answered")
ok(pinged and wire.esp(alice, www, since=mark), "the first packet to that address was ESP")
is_(len(wire.clear(alice, www)), 0, "nothing between the two went in the clear")

say("\n2. The same lookup again costs nothing:\n")
mark = wire.now()
again = alice.dns("www.peer.example")
say(f"      {again}\n")
is_(len(wire.ike(alice, www, since=mark)), 0, "no negotiation")

say("\n3. A program on alice connects to an address that nobody looked up:\n")
began = wire.now() * 1000
taken = alice.tcp_connect(files, 80)
show(wire.seen(alice, files, since=began / 1000)[:8])
say()
ok(taken is not None, f"connected in {taken or 0:.1f} ms, negotiation included; the SYN was kept, not lost")
is_(len(wire.clear(alice, files)), 0, "nothing went in the clear")

say("\n   $ oectl peers\n" + alice.oectl_run("peers").stdout)
