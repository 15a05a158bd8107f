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
 * order; proto 0 is any. For ICMP a port is type * 256 + code: the local one of
 * what we send, the remote one of what we receive.
 *
 * A mask says which bits of a port count, as the kernel does it; so a range is
 * one selector when it is a power of two long and begins at a multiple of that.
 * Mask 0 is the usual: the port alone, or any if the port is 0.
 */
struct selector {
	struct prefix local;
	struct prefix remote;
	uint8_t proto;
	uint16_t local_port, local_mask;
	uint16_t remote_port, remote_mask;
};

/* The same without the hosts: one kind of packets between two. */
struct traffic {
	uint8_t proto;
	uint16_t local_port, local_mask;
	uint16_t remote_port, remote_mask;
};

/* So many kinds of traffic one SA pair can be negotiated for. */
#define TRAFFIC_MAX 8

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
	/* The hosts and what they may say to each other; `more` where that is of several kinds. */
	struct selector selector;
	struct traffic more[TRAFFIC_MAX - 1];
	uint8_t more_count;
};

/* "10.9.0.1/32 <-> 10.9.0.2/32 tcp 0 443"; a range of ports is "1024-2047". */
#define SELECTOR_TEXT 192
const char *selector_format(const struct selector *selector, char out[SELECTOR_TEXT]);
bool selector_equal(const struct selector *a, const struct selector *b);
/* True when every packet of `inner` is one of `outer`. */
bool selector_within(const struct selector *inner, const struct selector *outer);

/* "tcp 0 443"; "all" for all. */
#define TRAFFIC_TEXT 48
const char *traffic_format(const struct traffic *traffic, char out[TRAFFIC_TEXT]);
bool traffic_equal(const struct traffic *a, const struct traffic *b);
bool traffic_within(const struct traffic *inner, const struct traffic *outer);
struct traffic selector_traffic(const struct selector *selector);
/* The bits of a port that count: what mask 0 stands for is put in. */
uint16_t port_mask(uint16_t port, uint16_t mask);
/* ICMP of either family: a port is a type and a code. */
bool proto_is_icmp(uint8_t proto);

/* What a pair carries, kind by kind: `out` has room for TRAFFIC_MAX; gives how many. */
size_t sa_pair_traffic(const struct sa_pair *pair, struct traffic out[TRAFFIC_MAX]);
/* The same hosts, the same kinds in any order. */
bool sa_pair_same_selectors(const struct sa_pair *a, const struct sa_pair *b);
void sa_pair_wipe(struct sa_pair *pair);
/* Keys only; their lengths stay. */
void sa_pair_wipe_keys(struct sa_pair *pair);

#endif
