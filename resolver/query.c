/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client query's life (query.h). */
#include "resolver/query.h"

#include "lib/mem.h"
#include "resolver/debug.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_US 100000u /* what the gate gets to say its last word after the deadline */
#define MAX_IN_FLIGHT 8192u /* beyond: a client that floods; what it asks is not taken */
#define UDP_LIMIT 1232u	  /* larger answers go by TCP: fragments are lost (RFC 9715) */

static void tell(struct query *query, const struct resolver_event *event)
{
	struct resolver *resolver = query->resolver;

	resolver->observer->stage(resolver->observer_arg, query->id, query->question.text, event);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Most queries are over before the next one comes: they use the same memory. */
static struct query *take_memory(struct resolver *resolver)
{
	struct query *query = resolver->spare ? resolver->spare : mem_new(struct query);

	resolver->spare = NULL;
	return query;
}

static void give_back(struct resolver *resolver, struct query *query)
{
	free(resolver->spare);
	resolver->spare = query;
}

static void cancel_waits(struct query *query)
{
	struct resolver *resolver = query->resolver;

	for (size_t i = 0; i < query->hold.count; i++) {
		struct hold_item *item = &query->hold.items[i];

		if (item->decision.verdict != RESOLVER_WAIT)
			continue;
		resolver->gate->cancel(resolver->gate_arg, item->handle);
		item->decision.verdict = RESOLVER_WITHHELD;
		if (!item->decision.cause[0])
			snprintf(item->decision.cause, sizeof(item->decision.cause),
				"not decided in time");
	}
}

/* Into the table, when it outlives the call that took it: its client may ask again (A9). */
static void keep(struct query *query)
{
	if (!query->kept)
		HASH_ADD(hh, query->resolver->queries, key, sizeof(query->key), query);
	query->kept = true;
}

static void leave_hold(struct query *query)
{
	if (query->phase == QUERY_HELD || query->phase == QUERY_OTHER)
		query->resolver->held_now--;
	query->phase = QUERY_ASKED;
}

void query_release(struct query *query)
{
	struct resolver *resolver = query->resolver;

	cancel_waits(query);
	hold_clear(&query->hold);
	pairs_leave(resolver->pairs, &query->pair);
	leave_hold(query);
	upstream_cancel(query->upstream);
	loop_timer_stop(resolver->loop, &query->deadline);
	loop_timer_stop(resolver->loop, &query->grace);
	message_free(query->answer);
	if (query->kept)
		HASH_DEL(resolver->queries, query);
	give_back(resolver, query);
}

size_t query_limit(const struct client *client, const struct message_query *question)
{
	if (client->connection)
		return MESSAGE_MAX;
	return question->udp_size < UDP_LIMIT ? question->udp_size : UDP_LIMIT;
}

static void send_and_release(
	struct query *query, const uint8_t *data, size_t len, const struct resolver_event *event)
{
	tell(query, event);
	listener_answer(&query->client, data, len);
	query->resolver->counters.answered++;
	query_release(query);
}

static void answer_error(struct query *query, int rcode)
{
	struct resolver_event event = {
		.stage = RESOLVER_STAGE_RELEASED, .released = {.rcode = rcode, .bare = true}};
	uint8_t out[1024];
	size_t len = message_build_error(&query->question, rcode, &query->cause, out, sizeof(out));

	if (rcode == MESSAGE_SERVFAIL)
		query->resolver->counters.servfail++;
	send_and_release(query, out, len, &event);
}

static void answer_message(struct query *query)
{
	struct resolver_event event = {.stage = RESOLVER_STAGE_RELEASED,
		.released = {.rcode = message_rcode(query->answer),
			.usable = hold_usable(&query->hold),
			.count = query->hold.count}};
	static uint8_t out[MESSAGE_MAX];
	size_t len = message_build(query->answer, &query->question, query->secure, &query->cause,
		query_limit(&query->client, &query->question), out, sizeof(out));

	if (len)
		send_and_release(query, out, len, &event);
	else
		answer_error(query, MESSAGE_SERVFAIL);
}

/* --- what is released -------------------------------------------------------------------------- */

/* A8: code and a text that names address, group and cause. */
static void set_cause(struct query *query)
{
	const struct hold_item *item = hold_culprit(&query->hold);
	char addr[ADDR_TEXT];

	if (!item)
		return;
	query->cause.present = true;
	query->cause.code = item->decision.verdict == RESOLVER_BLOCKED ? MESSAGE_EDE_BLOCKED
									: MESSAGE_EDE_OTHER;
	snprintf(query->cause.text, sizeof(query->cause.text), "%s: %s%s%s",
		addr_format(&item->addr, addr), item->decision.group,
		item->decision.cause[0] ? ": " : "", item->decision.cause);
}

/* `whole`: who checks signatures gets the set as it was signed (A6). */
static void release_records(struct query *query, bool whole)
{
	struct message_fate fates[HOLD_MAX];

	for (size_t i = 0; i < query->hold.count; i++) {
		const struct hold_item *item = &query->hold.items[i];

		fates[i] = (struct message_fate){.addr = item->addr,
			.usable = hold_is_usable(item),
			.first = item->decision.verdict == RESOLVER_TUNNELLED,
			.max_ttl_s = item->decision.max_ttl_s};
	}
	message_apply(query->answer, fates, query->hold.count, whole);
	answer_message(query);
}

static bool asks_addresses(const struct query *query)
{
	return query->question.type == MESSAGE_TYPE_A || query->question.type == MESSAGE_TYPE_AAAA;
}

static enum hold_kind kind_of(const struct query *query)
{
	uint16_t type = query->question.type;

	if (query->question.dnssec_ok && type == MESSAGE_TYPE_ANY)
		return HOLD_KIND_SIGNED_SETS;
	if (query->question.dnssec_ok &&
		(asks_addresses(query) || type == MESSAGE_TYPE_SVCB || type == MESSAGE_TYPE_HTTPS))
		return HOLD_KIND_SIGNED;
	return asks_addresses(query) ? HOLD_KIND_ADDRESS : HOLD_KIND_RECORDS;
}

/* --- the other query of a getaddrinfo() (A3) ----------------------------------------------------- */

/* Computed when it is needed: most queries without addresses never do. */
static struct pair_half *pair_of(struct query *query)
{
	if (!query->pair.query)
		query->pair = (struct pair_half){.key = pair_key(&query->client, query->question.text),
			.type = query->question.type,
			.arrived_us = query->arrived_us,
			.query = query};
	return &query->pair;
}

/* Who came later gets its grace all the same: it has not kept anybody waiting before. */
static void start_grace(struct query *query, uint64_t usable_us)
{
	struct resolver *resolver = query->resolver;
	uint64_t from_us = usable_us > query->arrived_us ? usable_us : query->arrived_us;

	if (!loop_timer_active(&query->grace))
		loop_timer_start_at(resolver->loop, &query->grace,
			from_us + resolver->config.hold_grace_ms * UINT64_C(1000));
}

static void other_is_usable(struct pair_half *half)
{
	struct query *query = half->query;

	start_grace(query, loop_now_us(query->resolver->loop));
}

static void note_usable(struct query *query)
{
	if (query->phase != QUERY_OTHER && asks_addresses(query))
		pairs_usable(query->resolver->pairs, pair_of(query), loop_now_us(query->resolver->loop),
			other_is_usable);
}

/* A6 leaves who set DO nothing but SERVFAIL for a set without a usable address: that is not worth hurrying. */
static void wait_for_pair(struct query *query)
{
	struct pairs *pairs = query->resolver->pairs;
	uint64_t usable_us;

	if (query->question.dnssec_ok)
		return;
	usable_us = pairs_other_usable(pairs, pair_of(query));
	if (usable_us == LOOP_NEVER)
		pairs_wait(pairs, &query->pair);
	else
		start_grace(query, usable_us);
}

static bool other_was_usable(struct query *query)
{
	return pairs_other_usable(query->resolver->pairs, pair_of(query)) != LOOP_NEVER;
}

/* --- what nothing is left of (A5) ----------------------------------------------------------------- */

static void ask_other_family(struct query *query);

/* Everything is decided, or no more time is given. */
static void conclude(struct query *query)
{
	cancel_waits(query);
	pairs_leave(query->resolver->pairs, &query->pair);
	loop_timer_stop(query->resolver->loop, &query->grace);
	loop_timer_stop(query->resolver->loop, &query->deadline);
	if (query->phase == QUERY_OTHER) {
		/* A5: the other family can be used, so this one is empty rather than broken. */
		answer_error(query,
			hold_usable(&query->hold) ? MESSAGE_NOERROR : MESSAGE_SERVFAIL);
		return;
	}
	set_cause(query);
	switch (hold_shape(&query->hold, kind_of(query))) {
	case HOLD_SHAPE_USABLE:
		release_records(query, false);
		break;
	case HOLD_SHAPE_WHOLE:
		release_records(query, true);
		break;
	case HOLD_SHAPE_NODATA:
		answer_error(query, MESSAGE_NOERROR);
		break;
	case HOLD_SHAPE_OTHER:
		if (other_was_usable(query))
			answer_error(query, MESSAGE_NOERROR);
		else
			ask_other_family(query);
		break;
	case HOLD_SHAPE_FAIL:
		answer_error(query, MESSAGE_SERVFAIL);
		break;
	}
}

/* --- holding --------------------------------------------------------------------------------------- */

static void tell_decision(struct query *query, const struct hold_item *item)
{
	struct resolver_event event = {.stage = RESOLVER_STAGE_ADDRESS,
		.address = {.addr = item->addr, .decision = item->decision}};

	tell(query, &event);
}

/* A3: once one address can be used, the others get a little time and no more. */
static void look_again(struct query *query)
{
	switch (hold_look(&query->hold)) {
	case HOLD_KEEP:
		break;
	case HOLD_GRACE:
		/* Of the other family nobody wants to know more than that one can be used. */
		if (query->phase == QUERY_OTHER)
			conclude(query);
		else
			start_grace(query, loop_now_us(query->resolver->loop));
		break;
	case HOLD_GO:
		conclude(query);
		break;
	}
}

static void decided(void *arg, const struct resolver_decision *decision)
{
	struct hold_item *item = arg;

	item->decision = *decision;
	tell_decision(item->query, item);
	if (hold_is_usable(item))
		note_usable(item->query);
	look_again(item->query);
}

static void grace_over(struct loop_timer *timer)
{
	conclude(timer->arg);
}

/* A4: those who wait are hurried; what then has no word yet is left out. */
static void deadline_over(struct loop_timer *timer)
{
	struct query *query = timer->arg;
	struct resolver *resolver = query->resolver;

	if (query->hurried) {
		conclude(query);
		return;
	}
	query->hurried = true;
	resolver->counters.timeouts++;
	loop_timer_start(resolver->loop, &query->deadline, SETTLE_US);
	for (size_t i = 0; i < query->hold.count; i++) {
		if (query->hold.items[i].decision.verdict == RESOLVER_WAIT)
			resolver->gate->hurry(resolver->gate_arg, query->hold.items[i].handle);
	}
}

static void walk_addresses(struct query *query, const struct message *message)
{
	struct resolver *resolver = query->resolver;
	struct addr addrs[HOLD_MAX];

	hold_init(&query->hold, addrs, message_addresses(message, addrs, HOLD_MAX), query);
	for (size_t i = 0; i < query->hold.count; i++) {
		struct hold_item *item = &query->hold.items[i];

		resolver->gate->want(resolver->gate_arg, query->id, query->question.text,
			&item->addr, decided, item, &item->decision, &item->handle);
		tell_decision(query, item);
	}
}

static void start_hold(struct query *query, enum query_phase phase)
{
	struct resolver *resolver = query->resolver;
	uint64_t end_us = query->arrived_us + resolver->config.hold_ms * UINT64_C(1000);

	keep(query);
	if (query->phase == QUERY_ASKED) {
		resolver->held_now++;
		resolver->counters.held++;
	}
	query->phase = phase;
	/* A9: over the bound the group's rule applies at once. */
	if (resolver->held_now > resolver->config.max_held)
		end_us = 0;
	loop_timer_start_at(resolver->loop, &query->deadline, end_us);
	if (phase == QUERY_HELD)
		wait_for_pair(query);
	look_again(query);
}

/* --- upstream ------------------------------------------------------------------------------------------ */

static bool has_answer(const struct upstream_answer *answer)
{
	return answer->packet && !answer->bogus;
}

static void set_upstream_cause(struct query *query, const struct upstream_answer *answer)
{
	query->cause.present = true;
	query->cause.code = answer->bogus ? 6 : 22; /* RFC 8914: DNSSEC Bogus, No Reachable Authority */
	snprintf(query->cause.text, sizeof(query->cause.text), "%s",
		answer->bogus ? answer->bogus : "no answer from the forwarders");
}

static void tell_upstream(struct query *query, const struct upstream_answer *answer)
{
	struct resolver_event event = {.stage = RESOLVER_STAGE_UPSTREAM,
		.upstream = {.rcode = answer->rcode, .secure = answer->secure}};

	tell(query, &event);
}

static void take_answer(void *arg, const struct upstream_answer *answer)
{
	struct query *query = arg;

	query->upstream = NULL;
	tell_upstream(query, answer);
	query->answer = has_answer(answer) ? message_parse(answer->packet, answer->len) : NULL;
	query->secure = answer->secure;
	if (!query->answer) {
		set_upstream_cause(query, answer);
		answer_error(query, MESSAGE_SERVFAIL);
		return;
	}
	walk_addresses(query, query->answer);
	if (hold_usable(&query->hold))
		note_usable(query);
	if (hold_waiting(&query->hold))
		start_hold(query, QUERY_HELD);
	else
		conclude(query);
}

static void take_other(void *arg, const struct upstream_answer *answer)
{
	struct query *query = arg;
	struct message *message =
		has_answer(answer) ? message_parse(answer->packet, answer->len) : NULL;

	query->upstream = NULL;
	hold_clear(&query->hold);
	if (message)
		walk_addresses(query, message);
	message_free(message);
	if (hold_waiting(&query->hold))
		start_hold(query, QUERY_OTHER);
	else
		conclude(query);
}

static void ask_other_family(struct query *query)
{
	struct resolver *resolver = query->resolver;
	uint16_t type = query->question.type == MESSAGE_TYPE_A ? MESSAGE_TYPE_AAAA : MESSAGE_TYPE_A;
	struct upstream_query *pending;

	keep(query);
	if (query->phase == QUERY_ASKED)
		resolver->held_now++;
	query->phase = QUERY_OTHER;
	query->hurried = false;
	/* Its own deadline: what is left of the hold, a moment at least. */
	loop_timer_start_at(resolver->loop, &query->deadline,
		query->arrived_us + resolver->config.hold_ms * UINT64_C(1000) + SETTLE_US);
	pending = upstream_start(resolver->upstream, query->question.text, type,
		query->question.class, query->question.cd, take_other, query);
	/* Without one, an answer from the cache may have ended the query already. */
	if (pending)
		query->upstream = pending;
}

/* --- the beginning ---------------------------------------------------------------------------------------- */

/* A12. A source that is the address it asks is this host's; so is a loopback one, the kernel sees to it. */
static bool may_ask(const struct resolver *resolver, const struct client *client)
{
	const struct addr *addr = &client->remote.addr;

	if (addr_is_loopback(addr) || addr_equal(addr, &client->local))
		return true;
	for (size_t i = 0; i < resolver->config.allow_count; i++) {
		if (prefix_contains(&resolver->config.allow[i], addr))
			return true;
	}
	return false;
}

static void refuse(const struct client *client, const struct message_query *question, int rcode)
{
	uint8_t out[1024];

	listener_answer(
		client, out, message_build_error(question, rcode, NULL, out, sizeof(out)));
}

static void fill_key(struct query_key *key, const struct client *client, const struct message_query *question)
{
	memset(key, 0, sizeof(*key));
	key->connection = client->connection;
	key->id = question->id;
	key->type = question->type;
	key->port = client->remote.port;
	key->addr[0] = client->remote.addr.family;
	memcpy(key->addr + 1, client->remote.addr.bytes, 16);
	key->name_len = (uint8_t)question->name_len;
	memcpy(key->name, question->name, question->name_len);
}

/* Asks upstream for what `question` says; the query is over, or kept, when this returns. */
static void begin(struct query *query, struct resolver *resolver, const struct client *client)
{
	struct resolver_event event = {.stage = RESOLVER_STAGE_QUERY, .type = query->question.type};
	struct upstream_query *pending;

	query->resolver = resolver;
	query->id = ++resolver->last_id;
	query->client = *client;
	query->arrived_us = loop_now_us(resolver->loop);
	query->deadline = (struct loop_timer){.fired = deadline_over, .arg = query};
	query->grace = (struct loop_timer){.fired = grace_over, .arg = query};
	tell(query, &event);
	if (resolver->forwarder_count == 0) {
		query->cause = (struct message_error){.present = true,
			.code = MESSAGE_EDE_OTHER,
			.text = "no forwarder is configured (dns-forward=) and none was found"};
		answer_error(query, MESSAGE_SERVFAIL);
		return;
	}
	pending = upstream_start(resolver->upstream, query->question.text, query->question.type,
		query->question.class, query->question.cd, take_answer, query);
	if (pending) {
		query->upstream = pending;
		keep(query);
	}
}

/* A query as it came. MESSAGE_REPLY: it has been answered. */
static enum message_parsed admit(struct resolver *resolver, const struct client *client,
	const uint8_t *data, size_t len, struct message_query *question)
{
	int rcode;
	enum message_parsed parsed = message_parse_query(data, len, question, &rcode);

	if (parsed == MESSAGE_DROP) {
		resolver->counters.malformed++;
		return parsed;
	}
	if (!may_ask(resolver, client)) {
		parsed = MESSAGE_REPLY;
		rcode = MESSAGE_REFUSED;
	}
	if (parsed != MESSAGE_REPLY)
		return parsed;
	resolver->counters.malformed += rcode == MESSAGE_FORMERR;
	resolver->counters.refused += rcode == MESSAGE_REFUSED;
	refuse(client, question, rcode);
	return parsed;
}

static bool is_wanted(struct resolver *resolver, const struct query_key *key)
{
	struct query *known;

	HASH_FIND(hh, resolver->queries, key, sizeof(*key), known);
	/* A9: the answer of a known one is on its way. */
	return !known && HASH_COUNT(resolver->queries) < MAX_IN_FLIGHT;
}

bool query_take(struct resolver *resolver, const struct client *client, const uint8_t *data, size_t len)
{
	struct query *query = take_memory(resolver);
	enum message_parsed parsed = admit(resolver, client, data, len, &query->question);

	if (parsed == MESSAGE_DEBUG)
		debug_take(resolver, client, &query->question);
	if (parsed == MESSAGE_QUERY)
		fill_key(&query->key, client, &query->question);
	if (parsed != MESSAGE_QUERY || !is_wanted(resolver, &query->key)) {
		give_back(resolver, query);
		return parsed == MESSAGE_REPLY || parsed == MESSAGE_DEBUG;
	}
	memset(query, 0, offsetof(struct query, question));
	resolver->counters.queries++;
	begin(query, resolver, client);
	return true;
}
