# SPDX-License-Identifier: GPL-2.0-or-later
"""Gateway: a router on the wire with address translation, and the hosts behind it.

    gate = wire.gateway("gate")
    inner = gate.hide("inner")           # 10.0.N.2, seen on the wire as gate
    gate.expose(inner)                   # what comes for gate is for inner
    gate.rebind()                        # the translator has lost its table
"""
from .host import Host


class Inside:
    """What a host behind a gateway takes for its wire; there is no tap on it."""

    def __init__(self, number):
        self.v4 = f"10.0.{number}.{{}}/24"


class Gateway(Host):
    """Ports of UDP are always translated: by luck alone, 500 and 4500 would stay what they are."""

    def __init__(self, *args, **kwargs):
        Host.__init__(self, *args, **kwargs)
        self.inside = Inside(self.number)
        self.exposed = None
        self.ports = 20000
        self.hidden = 0

    def bring_up(self):
        Host.bring_up(self)
        self.ip("link add name lan1 type bridge", "link set lan1 up",
                f"address add {self.inside.v4.format(254)} dev lan1")
        self.sysctl(net_ipv4_ip_forward=1)
        self.translate()

    def hide(self, name):
        """A new host behind this gateway; the n-th has the address 10.0.N.n."""
        self.hidden += 1
        host = Host(self.inside, name, self.hidden, v4=self.inside.v4.format(self.hidden), v6=None)
        # Namespaces have names where the wire is.
        self.wire.place.ip(f"link add dev {name} type veth peer name eth0 netns {name}",
                           f"link set dev {name} netns {self.name}")
        self.ip(f"link set dev {name} master lan1 up")
        host.bring_up()
        self.wire.hosts.append(host)
        return host

    def expose(self, host):
        self.exposed = host
        self.translate()

    def translate(self):
        inside = f"-A POSTROUTING -s {self.inside.v4.format(0)} -o eth0"
        rules = [f"{inside} -p udp -j MASQUERADE --to-ports {self.ports}-{self.ports + 999}",
                 f"{inside} -j MASQUERADE"]
        if self.exposed:
            rules.append(f"-A PREROUTING -i eth0 -j DNAT --to-destination {self.exposed.v4}")
        run = self.run("iptables-legacy-restore", text="\n".join(["*nat"] + rules + ["COMMIT"]) + "\n")
        if run.returncode:
            raise RuntimeError(f"{self.name}: iptables: {run.stderr}")

    def rebind(self):
        """All mappings are forgotten, and new ones have other ports."""
        self.ports += 1000
        self.translate()
        # Masquerading forgets its connections when the address goes.
        self.ip(f"address del {self._v4_net} dev eth0", f"address add {self._v4_net} dev eth0",
                f"route add default via {self.wire.v4.format(254).split('/')[0]}")
