# SPDX-License-Identifier: GPL-2.0-or-later
"""strongSwan's swanctl.conf, from what a test has to say and defaults for the rest."""

PSK = "an old friend of both"
SECRET = f': PSK "{PSK}"\n'  # the same for oe-resolverd and libreswan


def swan_connection(me=None, peer=None, child=None, local=None, remote=None, **words):
    """One connection as nested words: IKEv2, host to host, PSK on both sides.

    child, local, remote and words add to the defaults or replace them; a word that
    is None is left out, child=False makes a connection without CHILD SAs."""
    made = {"version": 2, "local_addrs": me, "remote_addrs": peer,
            "proposals": "aes256gcm16-prfsha256-x25519", **words,
            "local": {"auth": "psk", **(local or {})}, "remote": {"auth": "psk", **(remote or {})}}
    if child is not False:
        host = {"mode": "tunnel", "esp_proposals": "aes256gcm16", "start_action": "none", **(child or {})}
        made["children"] = {"host": host}
    return made


def swanctl_conf(*unnamed, psk=PSK, ppk=None, **named):
    """The file with these connections; one alone is called oe. psk: the secret of everybody, or None;
    ppk: a name and a key (RFC 8784)."""
    words = {"connections": {**{"oe": connection for connection in unnamed}, **named}, "secrets": {}}
    if psk:
        words["secrets"]["ike-psk"] = {"secret": f'"{psk}"'}
    if ppk:
        words["secrets"]["ppk-fleet"] = {"id": ppk[0], "secret": f'"{ppk[1]}"'}
    return "".join(section(name, inner, "") for name, inner in words.items())


def section(name, words, tabs):
    inner = "".join(section(word, value, tabs + "\t") if isinstance(value, dict) else f"{tabs}\t{word} = {value}\n"
                    for word, value in words.items() if value is not None)
    return f"{tabs}{name} {{\n{inner}{tabs}}}\n"
