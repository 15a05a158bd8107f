/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel messages read into our values; every length is checked. */
#ifndef XFRM_DECODE_H
#define XFRM_DECODE_H

#include "xfrm/entry.h"

struct nlmsghdr;

struct decoded_acquire {
	uint32_t tag;	      /* of the policy that fired */
	struct prefix remote; /* of that policy's selector */
	uint32_t seq;
	struct addr src, dst; /* of the larval state */
	struct selector selector;
};
bool decode_acquire(const struct nlmsghdr *message, struct decoded_acquire *out);

struct decoded_state {
	uint32_t tag;
	uint32_t spi; /* 0: larval */
	uint32_t seq;
	uint32_t reqid;
	uint8_t proto;
	struct addr src, dst;
	bool hard; /* of an EXPIRE */
	uint64_t bytes, packets, last_used_s;
};
/* NEWSA of a dump or an answer. */
bool decode_state(const struct nlmsghdr *message, struct decoded_state *out);
bool decode_expire(const struct nlmsghdr *message, struct decoded_state *out);

/* MAPPING: ESP in UDP from elsewhere than the SA says. */
struct decoded_mapping {
	uint32_t spi;
	struct addr old_src, new_src;
	uint16_t new_port;
};
bool decode_mapping(const struct nlmsghdr *message, struct decoded_mapping *out);

/* NEWPOLICY of a dump, with its first template. */
bool decode_policy(const struct nlmsghdr *message, struct entry *out);
/* NEWSPDINFO: leaves what it does not say as it was. */
bool decode_thresholds(const struct nlmsghdr *message, struct search_thresholds *out);
/* POLEXPIRE; only its hard end counts. */
bool decode_policy_expire(const struct nlmsghdr *message, struct entry *out, bool *hard);

#endif
