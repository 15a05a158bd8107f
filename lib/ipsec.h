/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain values that travel between the wings: selectors, paths, SAs.
 * Values and ids only; nobody owns anything through them. Numbers of
 * algorithms are those of IANA's IKEv2 registry, so that no wing needs a
 * table of another.
 */
#ifndef LIB_IPSEC_H
#define LIB_IPSEC_H

#include "lib/addr.h"
#include "lib/secret.h"

/*
 * What a flow covers (RFC 4301 4.4.1.1, seen from this host). Ports are host
 * order, 0 is any; proto 0 is any.
 */
struct selector {
	struct prefix local;
	struct prefix remote;
	uint8_t proto;
	uint16_t local_port;
	uint16_t remote_port;
};

/* Where datagrams of an exchange travel. */
struct path {
	struct endpoint local;
	struct endpoint remote;
};

enum ipsec_mode { IPSEC_TUNNEL, IPSEC_TRANSPORT };

/* RFC 8221 algorithms by their IANA transform id (type 1 and type 3). */
enum ipsec_encr {
	IPSEC_ENCR_AES_CBC = 12,
	IPSEC_ENCR_AES_GCM_16 = 20,
	IPSEC_ENCR_CHACHA20_POLY1305 = 28,
};

enum ipsec_integ {
	IPSEC_INTEG_NONE = 0,
	IPSEC_INTEG_HMAC_SHA2_256_128 = 12,
	IPSEC_INTEG_HMAC_SHA2_384_192 = 13,
	IPSEC_INTEG_HMAC_SHA2_512_256 = 14,
};

#define IPSEC_KEY_MAX 68 /* AES-256 with salt, or HMAC-SHA2-512: 64; rounded up */

/* One direction. `spi` is host order. */
struct ipsec_sa {
	struct addr src;
	struct addr dst;
	uint32_t spi;
	uint8_t encr_key[IPSEC_KEY_MAX]; /* for AEAD: key, then the 4-byte salt */
	uint8_t encr_key_len;
	uint8_t integ_key[IPSEC_KEY_MAX];
	uint8_t integ_key_len; /* 0 for AEAD */
};

/* A CHILD SA: a pair of SAs with what they have in common. */
struct sa_pair {
	struct ipsec_sa in;
	struct ipsec_sa out;
	enum ipsec_mode mode;
	uint16_t encr;	/* enum ipsec_encr */
	uint16_t integ; /* enum ipsec_integ */
	bool esn;
	uint16_t replay_window;	    /* packets; 0 takes the data plane's default */
	/* Of the outbound SA: at `soft` it asks for its successor, at `max` it ends; 0: never. */
	uint64_t soft_bytes, soft_packets, max_bytes, max_packets;
	uint16_t encap_local_port;  /* UDP encapsulation; 0: none */
	uint16_t encap_remote_port;
	/*
	 * We answered: the peer has its end only when our last message is there.
	 * Packets that wait for the pair leave after the peer's first (K1).
	 */
	bool peer_sends_first;
	struct selector selector;
};

/* "10.9.0.1/32 <-> 10.9.0.2/32 tcp 0 443". */
#define SELECTOR_TEXT 192
const char *selector_format(const struct selector *selector, char out[SELECTOR_TEXT]);
bool selector_equal(const struct selector *a, const struct selector *b);
/* True when every packet of `inner` is one of `outer`. */
bool selector_within(const struct selector *inner, const struct selector *outer);
void sa_pair_wipe(struct sa_pair *pair);
/* Keys only; their lengths stay. */
void sa_pair_wipe_keys(struct sa_pair *pair);

#endif
