/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Narrowing (RFC 7296 2.9). TSi and TSr mean every pair of one of each. What
 * such pairs and a selector of ours have in common is cut into kinds of traffic
 * that a data plane can tell apart (ipsec.h): ranges of ports fall into aligned
 * blocks, and what another kind holds is left out.
 */
#include "ike/sa.h"

#include <string.h>

/* Both ends belong to it; first > last: none (OPAQUE, 3.13.1, is written so). */
struct range {
	unsigned first, last;
};

struct kinds {
	struct traffic list[TRAFFIC_MAX];
	size_t count;
	bool too_many;
};

/* A range needs no more blocks than this. */
#define BLOCKS_MAX 32

struct blocks {
	uint16_t port[BLOCKS_MAX], mask[BLOCKS_MAX];
	size_t count;
};

/* --- ranges ---------------------------------------------------------------------------------- */

static struct range range_of(uint16_t port, uint16_t mask)
{
	return (struct range){.first = port, .last = port | (uint16_t)~port_mask(port, mask)};
}

static struct range common(struct range a, struct range b)
{
	return (struct range){.first = a.first > b.first ? a.first : b.first,
		.last = a.last < b.last ? a.last : b.last};
}

static bool is_all(struct range range)
{
	return range.first == 0 && range.last == UINT16_MAX;
}

/* How many ports the largest block has that begins a range. */
static unsigned block_len(struct range range)
{
	unsigned len = 1;

	while (len <= UINT16_MAX && range.first % (2 * len) == 0 &&
		range.first + 2 * len - 1 <= range.last)
		len *= 2;
	return len;
}

static struct blocks cut(struct range range)
{
	struct blocks blocks = {.count = 0};

	while (range.first <= range.last && blocks.count < BLOCKS_MAX) {
		unsigned len = block_len(range);
		uint16_t mask = (uint16_t)~(len - 1);

		blocks.port[blocks.count] = (uint16_t)range.first;
		/* As a port alone is written elsewhere. */
		blocks.mask[blocks.count++] = len == 1 && range.first ? 0 : mask;
		range.first += len;
	}
	return blocks;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static void add(struct kinds *kinds, const struct traffic *kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < kinds->count; i++) {
		if (traffic_within(kind, &kinds->list[i]))
			return;
	}
	for (size_t i = 0; i < kinds->count; i++) {
		if (!traffic_within(&kinds->list[i], kind))
			kinds->list[kept++] = kinds->list[i];
	}
	kinds->count = kept;
	if (kinds->count == TRAFFIC_MAX)
		kinds->too_many = true;
	else
		kinds->list[kinds->count++] = *kind;
}

static bool holds_host(const struct ike_ts *ts, const struct prefix *host)
{
	return ts->start.family == host->addr.family && addr_compare(&ts->start, &host->addr) <= 0 &&
	       addr_compare(&host->addr, &ts->end) <= 0;
}

/* The protocol that both mean; false when they mean two. */
static bool meet_proto(uint8_t a, uint8_t b, uint8_t *out)
{
	*out = a ? a : b;
	return a == 0 || b == 0 || a == b;
}

/* What one pair and a selector of hosts have in common, as two ranges of ports; false: nothing. */
static bool meet(const struct ike_ts *local, const struct ike_ts *remote, const struct selector *within,
	uint8_t *proto, struct range *locals, struct range *remotes)
{
	*locals = common((struct range){local->port_start, local->port_end},
		range_of(within->local_port, within->local_mask));
	*remotes = common((struct range){remote->port_start, remote->port_end},
		range_of(within->remote_port, within->remote_mask));
	return holds_host(local, &within->local) && holds_host(remote, &within->remote) &&
	       meet_proto(local->proto, remote->proto, proto) &&
	       meet_proto(*proto, within->proto, proto) && locals->first <= locals->last &&
	       remotes->first <= remotes->last &&
	       /* Ports belong to a protocol (3.13.1). */
	       (*proto != 0 || (is_all(*locals) && is_all(*remotes)));
}

static void add_blocks(
	struct kinds *kinds, uint8_t proto, struct range locals, struct range remotes, bool largest_only)
{
	struct blocks local = cut(locals), remote = cut(remotes);

	for (size_t i = 0; i < local.count * remote.count && !kinds->too_many; i++) {
		struct traffic kind = {.proto = proto,
			.local_port = local.port[i / remote.count],
			.local_mask = local.mask[i / remote.count],
			.remote_port = remote.port[i % remote.count],
			.remote_mask = remote.mask[i % remote.count]};

		add(kinds, &kind);
		if (largest_only)
			return;
	}
}

static struct kinds cut_all(const struct ike_selectors *selectors, const struct selector *within)
{
	struct kinds kinds = {.count = 0};
	struct range locals, remotes;
	uint8_t proto;

	for (size_t i = 0; i < selectors->local_count * selectors->remote_count && !kinds.too_many; i++) {
		if (meet(&selectors->local[i / selectors->remote_count],
			    &selectors->remote[i % selectors->remote_count], within, &proto, &locals,
			    &remotes))
			add_blocks(&kinds, proto, locals, remotes, false);
	}
	return kinds;
}

/* The largest block is a range's first one, last one, or between them. */
static struct range largest_block(struct range range)
{
	struct blocks blocks = cut(range);
	struct range best = {.first = 1};

	for (size_t i = 0; i < blocks.count; i++) {
		struct range block = range_of(blocks.port[i], blocks.mask[i]);

		if (best.first > best.last || block.last - block.first > best.last - best.first)
			best = block;
	}
	return best;
}

/* Where all of it cannot be told apart: of the first that is possible as much as one kind holds. */
static struct kinds cut_first(const struct ike_selectors *selectors, const struct selector *within)
{
	struct kinds kinds = {.count = 0};
	struct range locals, remotes;
	uint8_t proto;

	for (size_t i = 0; i < selectors->local_count * selectors->remote_count && !kinds.count; i++) {
		if (meet(&selectors->local[i / selectors->remote_count],
			    &selectors->remote[i % selectors->remote_count], within, &proto, &locals,
			    &remotes))
			add_blocks(&kinds, proto, largest_block(locals), largest_block(remotes), true);
	}
	return kinds;
}

static void set_kind(struct selector *selector, const struct traffic *kind)
{
	selector->proto = kind->proto;
	selector->local_port = kind->local_port;
	selector->local_mask = kind->local_mask;
	selector->remote_port = kind->remote_port;
	selector->remote_mask = kind->remote_mask;
}

static bool to_scope(const struct kinds *kinds, const struct selector *within, struct ike_scope *out)
{
	if (kinds->count == 0)
		return false;
	out->selector = *within;
	set_kind(&out->selector, &kinds->list[0]);
	out->more_count = (uint8_t)(kinds->count - 1);
	memcpy(out->more, kinds->list + 1, out->more_count * sizeof(out->more[0]));
	return true;
}

static struct selector any_between(const struct selector *hosts)
{
	return (struct selector){.local = hosts->local, .remote = hosts->remote};
}

/* --- what others ask ----------------------------------------------------------------------------- */

bool ike_narrow(const struct ike_selectors *asked, const struct selector *allowed, struct ike_scope *out)
{
	struct kinds kinds = cut_all(asked, allowed);

	if (kinds.too_many)
		kinds = cut_first(asked, allowed);
	return to_scope(&kinds, allowed, out);
}

static bool has_kind(const struct kinds *kinds, const struct traffic *kind)
{
	for (size_t i = 0; i < kinds->count; i++) {
		if (traffic_within(kind, &kinds->list[i]))
			return true;
	}
	return false;
}

enum ike_fit ike_fit(const struct ike_selectors *asked, const struct selector *allowed)
{
	struct selector any = any_between(allowed);
	struct kinds all = cut_all(asked, &any), kinds = cut_all(asked, allowed);
	struct range locals, remotes;
	uint8_t proto;

	if (kinds.count == 0)
		return IKE_FIT_NONE;
	for (size_t i = 0; i < all.count; i++)
		all.too_many |= !has_kind(&kinds, &all.list[i]);
	if (!all.too_many)
		return IKE_FIT_ALL;
	return meet(&asked->local[0], &asked->remote[0], allowed, &proto, &locals, &remotes)
		       ? IKE_FIT_FIRST
		       : IKE_FIT_PART;
}

/* Whether one side of an answer lies within what was asked for: never more. */
static bool is_within(const struct ike_ts *ts, size_t count, const struct prefix *host, uint8_t proto,
	struct range ports)
{
	for (size_t i = 0; i < count; i++) {
		if (!addr_equal(&ts[i].start, &host->addr) || !addr_equal(&ts[i].end, &host->addr) ||
			(proto && ts[i].proto != proto) || ts[i].port_start > ts[i].port_end ||
			ts[i].port_start < ports.first || ts[i].port_end > ports.last)
			return false;
	}
	return true;
}

bool ike_is_granted(
	const struct ike_selectors *answer, const struct selector *asked, struct ike_scope *out)
{
	struct kinds kinds;

	if (!is_within(answer->local, answer->local_count, &asked->local, asked->proto,
		    range_of(asked->local_port, asked->local_mask)) ||
		!is_within(answer->remote, answer->remote_count, &asked->remote, asked->proto,
			range_of(asked->remote_port, asked->remote_mask)))
		return false;
	/* What cannot be told apart would be sent to us and dropped: better no such SA. */
	kinds = cut_all(answer, asked);
	return !kinds.too_many && to_scope(&kinds, asked, out);
}

bool ike_still_asks(const struct ike_selectors *asked, const struct sa_pair *pair)
{
	struct selector any = any_between(&pair->selector);
	struct traffic list[TRAFFIC_MAX];
	size_t count = sa_pair_traffic(pair, list);

	for (size_t i = 0; i < count; i++) {
		struct selector selector = any;
		struct kinds kinds;

		set_kind(&selector, &list[i]);
		kinds = cut_all(asked, &selector);
		if (!has_kind(&kinds, &list[i]))
			return false;
	}
	return true;
}

bool ike_still_grants(const struct ike_selectors *answer, const struct sa_pair *pair)
{
	struct selector any = any_between(&pair->selector);
	struct sa_pair granted = {0};
	struct ike_scope scope;

	if (!ike_is_granted(answer, &any, &scope))
		return false;
	ike_scope_put(&scope, &granted);
	return sa_pair_same_selectors(&granted, pair);
}

void ike_scope_put(const struct ike_scope *scope, struct sa_pair *pair)
{
	pair->selector = scope->selector;
	memcpy(pair->more, scope->more, sizeof(pair->more));
	pair->more_count = scope->more_count;
}

struct ike_scope ike_scope_of(const struct sa_pair *pair)
{
	struct ike_scope scope = {.selector = pair->selector, .more_count = pair->more_count};

	memcpy(scope.more, pair->more, sizeof(scope.more));
	return scope;
}

/* --- on the wire ------------------------------------------------------------------------------------ */

static bool ts_equal(const struct ike_ts *a, const struct ike_ts *b)
{
	return a->proto == b->proto && a->port_start == b->port_start && a->port_end == b->port_end;
}

/* One side of all kinds, each once. */
static size_t side_of(const struct ike_scope *scope, bool local, struct ike_ts out[TRAFFIC_MAX])
{
	const struct prefix *host = local ? &scope->selector.local : &scope->selector.remote;
	size_t count = 0;

	for (size_t i = 0; i <= scope->more_count; i++) {
		struct traffic kind = i ? scope->more[i - 1] : selector_traffic(&scope->selector);
		struct range ports = local ? range_of(kind.local_port, kind.local_mask)
					   : range_of(kind.remote_port, kind.remote_mask);
		struct ike_ts ts = {.proto = kind.proto,
			.port_start = (uint16_t)ports.first,
			.port_end = (uint16_t)ports.last,
			.start = host->addr,
			.end = host->addr};
		size_t known = 0;

		while (known < count && !ts_equal(&out[known], &ts))
			known++;
		if (known == count)
			out[count++] = ts;
	}
	return count;
}

void ike_build_selectors(struct ike_builder *chain, const struct ike_scope *scope, bool initiator)
{
	struct ike_ts list[TRAFFIC_MAX];

	ike_ts_build(chain, IKE_PAYLOAD_TSi, list, side_of(scope, initiator, list));
	ike_ts_build(chain, IKE_PAYLOAD_TSr, list, side_of(scope, !initiator, list));
}
