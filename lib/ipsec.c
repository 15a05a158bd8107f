/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors and SAs as values (ipsec.h). */
#include "lib/ipsec.h"

#include <netinet/in.h>
#include <stdio.h>

static const char *proto_name(uint8_t proto, char out[8])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	}
	snprintf(out, 8, "%u", proto);
	return out;
}

const char *selector_format(const struct selector *selector, char out[SELECTOR_TEXT])
{
	char local[ADDR_TEXT], remote[ADDR_TEXT], number[8];
	int len = snprintf(out, SELECTOR_TEXT, "%s <-> %s", prefix_format(&selector->local, local),
		prefix_format(&selector->remote, remote));

	if (selector->proto && len > 0 && len < SELECTOR_TEXT)
		snprintf(out + len, SELECTOR_TEXT - (size_t)len, " %s %u %u",
			proto_name(selector->proto, number), selector->local_port,
			selector->remote_port);
	return out;
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return prefix_equal(&a->local, &b->local) && prefix_equal(&a->remote, &b->remote) &&
	       a->proto == b->proto && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port;
}

static bool prefix_within(const struct prefix *inner, const struct prefix *outer)
{
	return inner->len >= outer->len && prefix_contains(outer, &inner->addr);
}

static bool number_within(unsigned inner, unsigned outer)
{
	return outer == 0 || inner == outer;
}

bool selector_within(const struct selector *inner, const struct selector *outer)
{
	return prefix_within(&inner->local, &outer->local) &&
	       prefix_within(&inner->remote, &outer->remote) &&
	       number_within(inner->proto, outer->proto) &&
	       number_within(inner->local_port, outer->local_port) &&
	       number_within(inner->remote_port, outer->remote_port);
}

void sa_pair_wipe(struct sa_pair *pair)
{
	secret_wipe(pair, sizeof(*pair));
}

void sa_pair_wipe_keys(struct sa_pair *pair)
{
	secret_wipe(pair->in.encr_key, sizeof(pair->in.encr_key));
	secret_wipe(pair->in.integ_key, sizeof(pair->in.integ_key));
	secret_wipe(pair->out.encr_key, sizeof(pair->out.encr_key));
	secret_wipe(pair->out.integ_key, sizeof(pair->out.integ_key));
}
