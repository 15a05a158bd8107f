#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints t/unit/ike_vectors.h: what t/unit/ike_vectors.c compares the engine's cryptography with.

Nothing here comes from the engine or its libraries: primes from the formula of RFC 3526, powers by
Python's pow(). `make check` runs it and compares (t/lint/vectors.t).
"""


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
    return "\n".join(f'{indent}"{digits[i:i + 80]}"' for i in range(0, len(digits), 80))


def modp():
    yield "struct modp_vector {\n\tuint16_t group;\n\tconst char *prime, *private, *public, *peer, *shared;\n};\n"
    yield "static const struct modp_vector modp_vectors[] = {"
    for name, bits, constant, private_len in (("2048", 2048, 124476, 32), ("3072", 3072, 1690314, 40),
                                              ("4096", 4096, 240904, 48)):
        prime, length = modp_prime(bits, constant), bits // 8
        own = bytes(range(0x80, 0x80 + private_len))
        # A number whose secret with ours begins with a zero byte: it must keep its length.
        other = next(x for x in range(3, 10000) if pow(pow(2, x, prime), int.from_bytes(own, "big"), prime) >> bits - 8 == 0)
        peer = pow(2, other, prime)
        values = [prime, own, pow(2, int.from_bytes(own, "big"), prime), peer,
                  pow(peer, int.from_bytes(own, "big"), prime)]
        yield f"\t{{IKE_GROUP_MODP_{name},"
        yield ",\n".join(text(v if isinstance(v, bytes) else v.to_bytes(length, "big")) for v in values) + "},"
    yield "};"


if __name__ == "__main__":
    print("/* SPDX-License-Identifier: GPL-2.0-or-later */")
    print("/* Made by t/unit/ike_vectors.py, which says how. */\n")
    print("\n".join(modp()))
