/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One policy of the kernel as a value, and how ours are known (K2): a tag in
 * `selector.user`, which the kernel ignores in matching but counts as part of
 * a policy's identity, so we can never overwrite another's.
 *
 * Priorities (research/kernel.md D), lower wins:
 *
 *   BAND + 0x100             exemptions (K3)
 *   BAND + 0x1000 + slot*16 + sub
 *       0..2 a tunnel for a part of the line's traffic, the more exact first
 *       3 established, and the sink of one packet (waiting.c)
 *       4 hold, pass or block of one host, and its trap where the line is spread (K10)
 *       8 the line's trap or allow   10 its pass to the masquerading
 *       12 for whom there is no trap: the line's closing block, or the pass of an exception
 *
 * A host's policies sit in the slot of its line (K11), so that a more exact
 * line is never overridden by a tunnel of a wider one.
 */
#ifndef XFRM_ENTRY_H
#define XFRM_ENTRY_H

#include "lib/ipsec.h"
#include "xfrm/dataplane.h"

#define ENTRY_BAND 0x10000u
#define ENTRY_BAND_END (ENTRY_BAND + 0x1000u + DP_SLOTS * 16u)
#define ENTRY_EXEMPT (ENTRY_BAND + 0x100u)
#define ENTRY_REQID_FIRST 0x0e000000u
#define ENTRY_REQID_LAST 0x0effffffu

enum entry_sub {
	ENTRY_PART = 0,
	ENTRY_ESTABLISHED = 3,
	ENTRY_SINK = 3, /* of a host that is not established */
	ENTRY_HOST = 4,
	ENTRY_LINE = 8,
	ENTRY_MASQUERADED = 10,
	ENTRY_CLOSING = 12,
};

/* The tag: 11 bits of magic, whether the policy stays when the daemon stops (K5), the line (0: exemption). */
#define ENTRY_MAGIC 0x5e9u
uint32_t entry_tag(uint32_t line, bool stays);
bool entry_tag_is_ours(uint32_t tag);
uint32_t entry_tag_line(uint32_t tag);
bool entry_tag_stays(uint32_t tag);

uint32_t entry_priority(uint32_t slot, enum entry_sub sub);
/* Whether one of ours belongs to a host, and not to a line. */
bool entry_priority_is_host(uint32_t priority);

enum entry_dir { ENTRY_IN = 0, ENTRY_OUT = 1, ENTRY_FWD = 2 }; /* XFRM_POLICY_IN … */

/* The identity: bytes are compared, so it is zeroed before it is filled. */
struct entry_key {
	uint32_t tag;
	uint8_t dir;
	uint8_t proto;
	uint16_t sport, dport;	 /* host order; for ICMP: type, code */
	uint16_t sport_mask, dport_mask; /* the bits of them that count */
	struct prefix src, dst;
};
/* What is hashed and compared: without the padding at the end. */
#define ENTRY_KEY_LEN (offsetof(struct entry_key, dst) + sizeof(struct prefix))

enum entry_action { ENTRY_ALLOW, ENTRY_BLOCK, ENTRY_PROTECT };

struct entry {
	struct entry_key key;
	uint32_t priority;
	enum entry_action action;
	/* For PROTECT: a trap has zero addresses, transport and reqid 0. */
	bool optional; /* level use */
	enum ipsec_mode mode;
	uint32_t reqid;
	uint32_t spi; /* of the one SA that counts; 0: any with that reqid */
	struct addr tmpl_src, tmpl_dst;
	uint32_t lifetime_s; /* the kernel removes it then; 0: never */
};
/* Of two entries with the same key: nothing is to be written. */
bool entry_same(const struct entry *a, const struct entry *b);

/* From these prefix lengths on (our side, the other) the kernel has policies in its hash (search.c). */
struct search_thresholds {
	struct {
		uint8_t local, remote;
	} ipv4, ipv6;
};

#endif
