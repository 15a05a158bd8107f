/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel messages made from our values. Each function gives a message that netlink_request() takes and frees. */
#ifndef XFRM_ENCODE_H
#define XFRM_ENCODE_H

#include "xfrm/entry.h"

struct nl_msg;
struct nlmsghdr;

/*
 * A sequence number without ESN has 32 bits, and must not repeat: half-way an
 * outbound SA asks for its successor by a soft expire (RFC 4303 3.3.3).
 */
#define ENCODE_SOFT_PACKETS (UINT64_C(1) << 31)

/* Adds or replaces a policy, in one step (K4). */
struct nl_msg *encode_policy(const struct entry *entry);
struct nl_msg *encode_policy_delete(const struct entry_key *key);
struct nl_msg *encode_policy_get(const struct entry_key *key);
struct nl_msg *encode_policy_dump(void);
/* Whether a policy of a dump is, in everything that can be told, what encode_policy() makes of `entry`. */
bool encode_is_policy(const struct entry *entry, const struct nlmsghdr *dumped);

/* From what prefix lengths on policies are in the kernel's hash (search.c). */
struct nl_msg *encode_thresholds(const struct search_thresholds *thresholds);
struct nl_msg *encode_thresholds_get(void);

struct nl_msg *encode_sa(const struct ipsec_sa *sa, const struct sa_pair *pair, uint32_t reqid,
	uint32_t tag, bool inbound);
/*
 * The same for an SA that the kernel has: its UDP ports become those of `pair`.
 * The kernel keeps keys and sequence numbers of its own; `sa` needs none.
 */
struct nl_msg *encode_sa_move(const struct ipsec_sa *sa, const struct sa_pair *pair, uint32_t reqid,
	uint32_t tag, bool inbound);
/*
 * An outbound SA in transport mode that lets nothing through: its sequence
 * numbers are used up (RFC 4303 3.3.3), and nobody knows its key.
 */
struct nl_msg *encode_sa_sink(
	const struct addr *src, const struct addr *dst, uint32_t spi, uint32_t reqid, uint32_t tag);
struct nl_msg *encode_sa_delete(const struct addr *dst, uint32_t spi);
struct nl_msg *encode_sa_get(const struct addr *dst, uint32_t spi);
struct nl_msg *encode_sa_dump(void);
/* Gives the larval state of an acquire an SPI, so that it can be deleted. */
struct nl_msg *encode_alloc_spi(const struct addr *src, const struct addr *dst, uint32_t seq);

/* struct xfrm_selector with our fields; zeroed padding. */
struct xfrm_selector;
struct xfrm_selector encode_selector(const struct entry_key *key);

#endif
