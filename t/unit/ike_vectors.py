#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints t/unit/ike_vectors.h: what t/unit/ike_vectors.c compares the engine's cryptography with.

Nothing here comes from the engine or its libraries: primes from the formula of RFC 3526, powers by
Python's pow(), HMAC from hashlib, ciphers written down here from their standards and checked against
them before anything is printed. `make check` runs it and compares (t/lint/vectors.t).
"""
import hashlib
import hmac
import struct

# --- ciphers, slow and plain --------------------------------------------------------------------


def gf8(a, b):
    """FIPS 197 4.2."""
    out = 0
    while b:
        out ^= a if b & 1 else 0
        a, b = (a << 1 ^ 0x11b if a & 0x80 else a << 1), b >> 1
    return out


def make_sbox():
    def rotated(x, n):
        return (x << n | x >> 8 - n) & 0xff
    inverse = [0] + [next(y for y in range(256) if gf8(x, y) == 1) for x in range(1, 256)]
    return [x ^ rotated(x, 1) ^ rotated(x, 2) ^ rotated(x, 3) ^ rotated(x, 4) ^ 0x63 for x in inverse]


SBOX = make_sbox()


def round_keys(key):
    n, rcon = len(key) // 4, 1
    words = [list(key[4 * i:4 * i + 4]) for i in range(n)]
    for i in range(n, 4 * (n + 7)):
        word = list(words[-1])
        if i % n == 0:
            word = [SBOX[x] for x in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = gf8(rcon, 2)
        elif n > 6 and i % n == 4:
            word = [SBOX[x] for x in word]
        words.append([a ^ b for a, b in zip(words[i - n], word)])
    return [sum(words[i:i + 4], []) for i in range(0, len(words), 4)]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def aes(key, block):
    keys = round_keys(key)
    state = xor(block, keys[0])
    for number, words in enumerate(keys[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < len(keys) - 1:
            state = [gf8(state[i], 2) ^ gf8(state[i // 4 * 4 + (i + 1) % 4], 3) ^ state[i // 4 * 4 + (i + 2) % 4]
                     ^ state[i // 4 * 4 + (i + 3) % 4] for i in range(16)]
        state = xor(state, words)
    return bytes(state)


def cbc(key, iv, plain):
    out = b""
    for i in range(0, len(plain), 16):
        iv = aes(key, xor(iv, plain[i:i + 16]))
        out += iv
    return out


def padded(data):
    return data + bytes(-len(data) % 16)


def gcm(key, nonce, aad, plain):
    """SP 800-38D with 96 bits of nonce."""
    h = int.from_bytes(aes(key, bytes(16)), "big")

    def times_h(x):
        out, v = 0, h
        for i in range(127, -1, -1):
            out ^= v if x >> i & 1 else 0
            v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
        return out

    sealed = b"".join(xor(plain[i:i + 16], aes(key, nonce + struct.pack(">I", 2 + i // 16)))
                      for i in range(0, len(plain), 16))
    hashed = 0
    covered = padded(aad) + padded(sealed) + struct.pack(">QQ", 8 * len(aad), 8 * len(sealed))
    for i in range(0, len(covered), 16):
        hashed = times_h(hashed ^ int.from_bytes(covered[i:i + 16], "big"))
    return sealed + xor(hashed.to_bytes(16, "big"), aes(key, nonce + struct.pack(">I", 1)))


def chacha20(key, counter, nonce):
    """RFC 8439 2.3."""
    begin = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    state = list(begin)

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = state[x] + state[y] & 0xffffffff
            state[z] ^= state[x]
            state[z] = (state[z] << n | state[z] >> 32 - n) & 0xffffffff

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(state, begin)))


def chacha20_poly1305(key, nonce, aad, plain):
    """RFC 8439 2.8."""
    sealed = b"".join(xor(plain[i:i + 64], chacha20(key, 1 + i // 64, nonce)) for i in range(0, len(plain), 64))
    one_time = chacha20(key, 0, nonce)
    r, s = (int.from_bytes(one_time[i:i + 16], "little") for i in (0, 16))
    r &= 0x0ffffffc0ffffffc0ffffffc0fffffff
    covered, tag = padded(aad) + padded(sealed) + struct.pack("<QQ", len(aad), len(sealed)), 0
    for i in range(0, len(covered), 16):
        tag = (tag + int.from_bytes(covered[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return sealed + (tag + s & (1 << 128) - 1).to_bytes(16, "little")


def check_ciphers():
    """FIPS 197 C.1 and C.3, SP 800-38A F.2.1, the GCM specification's case 4 (its tag), RFC 8439 2.8.2 (its tag)."""
    count = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes(bytes(range(16)), count).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert aes(bytes(range(32)), count).hex() == "8ea2b7ca516745bfeafc49904b496089"
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    assert cbc(key, bytes(range(16)), plain).hex() == ("7649abac8119b246cee98e9b12e9197d"
                                                       "5086cb9b507219ee95db113a917678b2")
    plain = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    assert gcm(bytes.fromhex("feffe9928665731c6d6a8f9467308308"), bytes.fromhex("cafebabefacedbaddecaf888"),
               bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
               plain).hex().endswith("5bc94fbc3221a5db94fae95ae7121a47")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it.")
    assert chacha20_poly1305(bytes(range(0x80, 0xa0)), bytes.fromhex("070000004041424344454647"),
                             bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
                             text).hex().endswith("1ae10b594f09e26a7e902ecbd0600691")


# --- MODP groups ----------------------------------------------------------------------------------


def arctan_of_inverse(x, one):
    total = term = one // x
    n, sign = 1, 1
    while term:
        term //= x * x
        n, sign = n + 2, -sign
        total += sign * (term // n)
    return total


def scaled_pi(bits):
    """[2^bits pi], by Machin's formula."""
    one = 1 << (bits + 64)
    return 4 * (4 * arctan_of_inverse(5, one) - arctan_of_inverse(239, one)) >> 64


def modp_prime(bits, constant):
    return (1 << bits) - (1 << bits - 64) - 1 + (1 << 64) * (scaled_pi(bits - 130) + constant)


def text(data, indent="\t\t"):
    digits = data.hex()
    return "\n".join(f'{indent}"{digits[i:i + 80]}"' for i in range(0, max(len(digits), 1), 80))


def modp():
    yield "struct modp_vector {\n\tuint16_t group;\n\tconst char *prime, *private, *public, *peer, *shared;\n};\n"
    yield "static const struct modp_vector modp_vectors[] = {"
    for name, bits, constant, private_len in (("2048", 2048, 124476, 32), ("3072", 3072, 1690314, 40),
                                              ("4096", 4096, 240904, 48)):
        prime, length = modp_prime(bits, constant), bits // 8
        own = bytes(range(0x80, 0x80 + private_len))
        power = int.from_bytes(own, "big")
        # A number whose secret with ours begins with a zero byte: it must keep its length.
        other = next(x for x in range(3, 10000) if pow(pow(2, x, prime), power, prime) >> bits - 8 == 0)
        peer = pow(2, other, prime)
        values = [prime, own, pow(2, power, prime), peer, pow(peer, power, prime)]
        yield f"\t{{IKE_GROUP_MODP_{name},"
        yield ",\n".join(text(v if isinstance(v, bytes) else v.to_bytes(length, "big")) for v in values) + "},"
    yield "};\n"


# --- a handshake -----------------------------------------------------------------------------------

GCM, CBC, CHACHA = "AES_GCM_16", "AES_CBC", "CHACHA20_POLY1305"
SPI_I, SPI_R = 0x0123456789abcdef, 0xfedcba9876543210
NI, NR = bytes(range(32)), bytes(range(0x40, 0x58))
SHARED_1, SHARED_2 = bytes(range(0x10, 0x70)), bytes(range(0xc0, 0xe0))
SHARED, SHARED_PFS = bytes(range(0x60, 0x80)), bytes(range(0x80, 0xe1))
SPI_I2, SPI_R2 = 0x1111111122222222, 0x3333333344444444
NI2, NR2 = bytes(range(0x20, 0x40)), bytes(range(0x90, 0xa0))
MESSAGE_I, MESSAGE_R = b"the request of IKE_SA_INIT", b"the response to it"
ID_I, ID_R = bytes.fromhex("01000000c0000201"), b"\2\0\0\0host.example"
PSK = b"open sesame"
PPK = b"an old friend of both, who is older than any quantum computer is, and keeps quiet about it"
# Two notifies: INITIAL_CONTACT, and one for private use with three bytes.
CONTENT = bytes.fromhex("2900000800004000" "0000000b00009c40010203")
IV = 0x0102030405060708
KINDS = [(GCM, 256, None, 256), (GCM, 128, None, 384), (CHACHA, 0, None, 512), (CBC, 128, 256, 256),
         (CBC, 256, 384, 512), (CBC, 256, 512, 384)]


def prf(bits, key, data):
    return hmac.new(key, data, f"sha{bits}").digest()


def prf_plus(bits, key, seed, length):
    out = block = b""
    counter = 1
    while len(out) < length:
        block = prf(bits, key, block + seed + bytes([counter]))
        out, counter = out + block, counter + 1
    return out[:length]


def cut(data, *lengths):
    out, at = [], 0
    for length in lengths:
        out.append(data[at:at + length])
        at += length
    assert at == len(data)
    return out


def key_lens(kind):
    encr, bits, integ, _ = kind
    return ((bits or 256) // 8 + (0 if encr == CBC else 4), integ // 8 if integ else 0)


def sk_keys(kind, skeyseed, seed):
    """RFC 7296 2.14: SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr."""
    (e, a), p = key_lens(kind), kind[3] // 8
    lengths = (p, a, a, e, e, p, p)
    return cut(prf_plus(kind[3], skeyseed, seed, sum(lengths)), *lengths)


def spis(one, other):
    return struct.pack(">QQ", one, other)


def child_keys(kind, sk_d, seed):
    """2.17: to the responder first, encryption before integrity."""
    e, a = key_lens(kind)
    return cut(prf_plus(kind[3], sk_d, seed, 2 * (e + a)), e, a, e, a)


def auth(kind, secret, sk_p, message, nonce, identity):
    """2.15; of NULL (RFC 7619 2.1) the secret is SK_p."""
    signed = message + nonce + prf(kind[3], sk_p, identity)
    return prf(kind[3], prf(kind[3], secret, b"Key Pad for IKEv2"), signed)


def seal(kind, key, integ_key, flags, first, place):
    """3.14, RFC 5282, RFC 7383 2.5: INFORMATIONAL with message ID 5."""
    encr, _, integ, _ = kind
    if encr == CBC:
        plain = CONTENT + bytes(-(len(CONTENT) + 1) % 16)
        plain += bytes([len(plain) - len(CONTENT)])
        iv = aes(key, struct.pack(">QQ", 0, IV))
        rest = len(iv) + len(plain) + integ // 16
    else:
        plain, iv = CONTENT + b"\0", struct.pack(">Q", IV)
        rest = len(iv) + len(plain) + 16
    clear = struct.pack(">HH", *place) if place else b""
    payload_len = 4 + len(clear) + rest
    aad = spis(SPI_I, SPI_R) + struct.pack(">BBBBII", 53 if place else 46, 0x20, 37, flags, 5, 28 + payload_len)
    aad += struct.pack(">BBH", first, 0, payload_len) + clear
    if encr == CBC:
        sealed = aad + iv + cbc(key, iv, plain)
        return sealed + prf(integ, integ_key, sealed)[:integ // 16]
    seal_aead = gcm if encr == GCM else chacha20_poly1305
    return aad + iv + seal_aead(key[:-4], key[-4:] + iv, aad, plain)


def intermediate(number, flags):
    """RFC 9242 3.3.2: a message of IKE_INTERMEDIATE as if it were neither sealed nor cut."""
    payload_len = 4 + len(CONTENT)
    return (spis(SPI_I, SPI_R) + struct.pack(">BBBBII", 46, 0x20, 43, flags, number, 28 + payload_len)
            + struct.pack(">BBH", 41, 0, payload_len) + CONTENT)


def row(kind):
    encr, bits, integ, p = kind
    keys = sk_keys(kind, prf(p, NI + NR, SHARED), NI + NR + spis(SPI_I, SPI_R))
    d, ai, ar, ei, er, pi, pr = keys
    # 2.18: from the old SK_d, with the new secret before the nonces.
    new = sk_keys(kind, prf(p, d, SHARED_PFS + NI2 + NR2), NI2 + NR2 + spis(SPI_I2, SPI_R2))
    values = keys + child_keys(kind, d, NI + NR) + child_keys(kind, d, SHARED_PFS + NI2 + NR2) + new
    values += [auth(kind, pi, pi, MESSAGE_I, NR, ID_I), auth(kind, pr, pr, MESSAGE_R, NI, ID_R),
               auth(kind, PSK, pi, MESSAGE_I, NR, ID_I), auth(kind, PSK, pr, MESSAGE_R, NI, ID_R),
               seal(kind, ei, ai, 0x08, 41, None), seal(kind, er, ar, 0x20, 0, (2, 3))]
    # RFC 8784 3: SK_d, SK_pi and SK_pr with a PPK, and AUTH by NULL with it.
    ppk = [prf_plus(p, PPK, key, p // 8) for key in (d, pi, pr)]
    values += ppk + [auth(kind, ppk[1], ppk[1], MESSAGE_I, NR, ID_I), auth(kind, PSK, ppk[2], MESSAGE_R, NI, ID_R)]
    # RFC 9370 2.2.2: new keys after an additional key exchange; RFC 9242 3.3.2: AUTH after two exchanges.
    updated = sk_keys(kind, prf(p, d, SHARED_PFS + NI + NR), NI + NR + spis(SPI_I, SPI_R))
    macs = []
    for flags, before, after in ((0x08, pi, updated[5]), (0x20, pr, updated[6])):
        first = prf(p, before, intermediate(1, flags))
        macs.append(prf(p, after, first + intermediate(2, flags)))
    signed = MESSAGE_R + NI + prf(p, updated[6], ID_R) + macs[0] + macs[1] + struct.pack(">I", 3)
    # RFC 9370 2.2.4: what IKE_FOLLOWUP_KE gave comes behind the nonces.
    more = SHARED_PFS + NI2 + NR2 + SHARED_1 + SHARED_2
    followed = sk_keys(kind, prf(p, d, more), NI2 + NR2 + spis(SPI_I2, SPI_R2))
    followed_child = child_keys(kind, d, more)
    values += updated + [prf(p, prf(p, PSK, b"Key Pad for IKEv2"), signed)]
    values += followed + followed_child
    head = f"\t{{IKE_ENCR_{encr}, {bits}, {f'IKE_INTEG_HMAC_SHA2_{integ}_{integ // 2}' if integ else 0}, " \
           f"IKE_PRF_HMAC_SHA2_{p},\n"
    groups = [values[:7], values[7:11], values[11:15], values[15:22], *([v] for v in values[22:28]), values[28:31],
              *([v] for v in values[31:33]), values[33:40], values[40:41], values[41:48],
              values[48:]]
    return head + ",\n".join(
        ("\t\t{" + ",\n".join(text(v, "\t\t\t").lstrip() if i == 0 else text(v, "\t\t\t") for i, v in enumerate(g)) + "}")
        if len(g) > 1 else text(g[0]) for g in groups) + "},"


def handshake():
    yield f"#define VECTOR_SPI_I UINT64_C(0x{SPI_I:x})\n#define VECTOR_SPI_R UINT64_C(0x{SPI_R:x})"
    yield f"#define VECTOR_SPI_I2 UINT64_C(0x{SPI_I2:x})\n#define VECTOR_SPI_R2 UINT64_C(0x{SPI_R2:x})"
    yield f"#define VECTOR_IV UINT64_C(0x{IV:x})"
    for name in ("NI", "NR", "NI2", "NR2", "SHARED", "SHARED_PFS", "SHARED_1", "SHARED_2", "MESSAGE_I", "MESSAGE_R", "ID_I", "ID_R", "PSK",
                 "PPK", "CONTENT"):
        yield f"#define VECTOR_{name} \\\n" + text(globals()[name], "\t").replace("\n", " \\\n")
    yield """
/* SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr of an IKE SA; encryption and integrity, to the responder and back. */
struct handshake_vector {
	uint16_t encr, key_bits, integ, prf;
	const char *sk[7], *child[4], *pfs[4], *rekeyed[7];
	const char *null_i, *null_r, *psk_i, *psk_r;
	const char *message, *fragment;
	const char *ppk[3], *ppk_null_i, *ppk_psk_r;
	const char *updated[7], *intermediate_psk_r;
	const char *followed[7], *followed_child[4];
};
"""
    yield "static const struct handshake_vector handshake_vectors[] = {"
    for kind in KINDS:
        yield row(kind)
    yield "};"


if __name__ == "__main__":
    check_ciphers()
    print("/* SPDX-License-Identifier: GPL-2.0-or-later */")
    print("/* Made by t/unit/ike_vectors.py, which says how. */\n")
    print("\n".join(modp()))
    print("\n".join(handshake()))
