/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client query's life (query.h). */
#include "resolver/query.h"

#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_US 100000u /* what the gate gets to say its last word after the deadline */
#define UDP_LIMIT 1232u	  /* larger answers go by TCP: fragments are lost (RFC 9715) */

static void tell(struct query *query, enum resolver_stage stage, const char *text)
{
	struct resolver *resolver = query->resolver;

	resolver->observer->stage(
		resolver->observer_arg, query->id, query->question.text, stage, text);
}

static const char *type_name(uint16_t type, char out[16])
{
	switch (type) {
	case MESSAGE_TYPE_A:
		return "A";
	case MESSAGE_TYPE_AAAA:
		return "AAAA";
	case 65:
		return "HTTPS";
	}
	snprintf(out, 16, "TYPE%u", type);
	return out;
}

/* --- the end --------------------------------------------------------------------------------- */

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
	leave_hold(query);
	upstream_cancel(query->upstream);
	loop_timer_stop(resolver->loop, &query->deadline);
	loop_timer_stop(resolver->loop, &query->grace);
	message_free(query->answer);
	HASH_DEL(resolver->queries, query);
	free(query);
}

static size_t limit_of(const struct query *query)
{
	if (query->client.connection)
		return MESSAGE_MAX;
	return query->question.udp_size < UDP_LIMIT ? query->question.udp_size : UDP_LIMIT;
}

static void send_and_release(struct query *query, const uint8_t *data, size_t len, const char *text)
{
	tell(query, RESOLVER_STAGE_RELEASED, text);
	if (len)
		listener_answer(&query->client, data, len);
	query->resolver->counters.answered++;
	query_release(query);
}

static void answer_error(struct query *query, int rcode)
{
	uint8_t out[1024];
	size_t len = message_build_error(&query->question, rcode, &query->cause, out, sizeof(out));

	if (rcode == MESSAGE_SERVFAIL)
		query->resolver->counters.servfail++;
	send_and_release(query, out, len,
		rcode == MESSAGE_SERVFAIL ? "SERVFAIL"
					  : (rcode == MESSAGE_NOERROR ? "NOERROR, no records" : "error"));
}

static void answer_message(struct query *query, const char *text)
{
	static uint8_t out[MESSAGE_MAX];
	size_t len = message_build(query->answer, &query->question, query->secure, &query->cause,
		limit_of(query), out, sizeof(out));

	if (len)
		send_and_release(query, out, len, text);
	else
		answer_error(query, MESSAGE_SERVFAIL);
}

/* --- what is released -------------------------------------------------------------------------- */

/* A8: code and a text that names address, group and cause. */
static void set_cause(struct query *query)
{
	const struct hold_item *item = hold_first_unusable(&query->hold);
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

static void release_usable(struct query *query)
{
	struct message_fate fates[HOLD_MAX];
	size_t usable = hold_usable(&query->hold);
	char text[64];

	for (size_t i = 0; i < query->hold.count; i++) {
		const struct hold_item *item = &query->hold.items[i];

		fates[i] = (struct message_fate){.addr = item->addr,
			.usable = hold_is_usable(item),
			.first = item->decision.verdict == RESOLVER_TUNNELLED,
			.max_ttl_s = item->decision.max_ttl_s};
	}
	/* A6: who checks signatures gets the set whole. */
	message_apply(query->answer, fates, query->hold.count, query->question.dnssec_ok);
	snprintf(text, sizeof(text), "%zu of %zu addresses", usable, query->hold.count);
	answer_message(query, text);
}

static void ask_other_family(struct query *query);

/* Everything is decided, or no more time is given. */
static void conclude(struct query *query)
{
	cancel_waits(query);
	loop_timer_stop(query->resolver->loop, &query->grace);
	loop_timer_stop(query->resolver->loop, &query->deadline);
	if (query->phase == QUERY_OTHER) {
		/* A5: the other family can be used, so this one is empty rather than broken. */
		answer_error(query,
			hold_usable(&query->hold) ? MESSAGE_NOERROR : MESSAGE_SERVFAIL);
		return;
	}
	set_cause(query);
	if (hold_usable(&query->hold)) {
		release_usable(query);
	} else if (hold_only_blocked(&query->hold)) {
		answer_error(query, MESSAGE_NOERROR);
	} else if (query->question.dnssec_ok || (query->question.type != MESSAGE_TYPE_A &&
							query->question.type != MESSAGE_TYPE_AAAA)) {
		/* A record of another kind that only hints at addresses is not worth a failure. */
		answer_error(query, query->question.type == MESSAGE_TYPE_A ||
						    query->question.type == MESSAGE_TYPE_AAAA
					    ? MESSAGE_SERVFAIL
					    : MESSAGE_NOERROR);
	} else {
		ask_other_family(query);
	}
}

/* --- holding --------------------------------------------------------------------------------------- */

static void tell_decision(struct query *query, const struct hold_item *item)
{
	static const char *const words[] = {
		[RESOLVER_PASS] = "pass",
		[RESOLVER_TUNNELLED] = "tunnelled",
		[RESOLVER_WAIT] = "waits",
		[RESOLVER_WITHHELD] = "withheld",
		[RESOLVER_BLOCKED] = "blocked",
	};
	char addr[ADDR_TEXT], text[256];
	const struct resolver_decision *d = &item->decision;

	snprintf(text, sizeof(text), "%s: %s%s%s%s%s", addr_format(&item->addr, addr), d->group,
		d->group[0] ? ": " : "", words[d->verdict], d->cause[0] ? ": " : "", d->cause);
	tell(query, RESOLVER_STAGE_ADDRESS, text);
}

/* A3: once one address can be used, the others get a little time and no more. */
static void look_again(struct query *query)
{
	struct resolver *resolver = query->resolver;

	if (query->walking)
		return;
	if (hold_waiting(&query->hold) == 0)
		conclude(query);
	else if (hold_usable(&query->hold) && !loop_timer_active(&query->grace))
		loop_timer_start(resolver->loop, &query->grace,
			resolver->config.hold_grace_ms * UINT64_C(1000));
}

static void decided(void *arg, const struct resolver_decision *decision)
{
	struct hold_item *item = arg;

	item->decision = *decision;
	tell_decision(item->query, item);
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
	size_t count = message_addresses(message, addrs, HOLD_MAX);

	query->walking = true;
	query->hold.count = 0;
	for (size_t i = 0; i < count; i++) {
		struct hold_item *item = &query->hold.items[query->hold.count++];

		*item = (struct hold_item){.addr = addrs[i], .query = query};
		resolver->gate->want(resolver->gate_arg, query->id, query->question.text, &addrs[i],
			decided, item, &item->decision, &item->handle);
		tell_decision(query, item);
	}
	query->walking = false;
}

static void start_hold(struct query *query, enum query_phase phase)
{
	struct resolver *resolver = query->resolver;
	uint64_t end_us = query->arrived_us + resolver->config.hold_ms * UINT64_C(1000);

	if (query->phase == QUERY_ASKED) {
		resolver->held_now++;
		resolver->counters.held++;
	}
	query->phase = phase;
	/* A9: over the bound the group's rule applies at once. */
	if (resolver->held_now > resolver->config.max_held)
		end_us = 0;
	loop_timer_start_at(resolver->loop, &query->deadline, end_us);
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
	char text[64];

	snprintf(text, sizeof(text), "rcode %d%s", answer->rcode, answer->secure ? ", secure" : "");
	tell(query, RESOLVER_STAGE_UPSTREAM, text);
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
	if (hold_waiting(&query->hold))
		start_hold(query, QUERY_HELD);
	else if (query->hold.count)
		conclude(query);
	else
		answer_message(query, "no addresses");
}

static void take_other(void *arg, const struct upstream_answer *answer)
{
	struct query *query = arg;
	struct message *message =
		has_answer(answer) ? message_parse(answer->packet, answer->len) : NULL;

	query->upstream = NULL;
	query->hold.count = 0;
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
	uint64_t id = query->id;
	struct query_key key = query->key;

	if (query->phase == QUERY_ASKED)
		resolver->held_now++;
	query->phase = QUERY_OTHER;
	query->hurried = false;
	/* Its own deadline: what is left of the hold, a moment at least. */
	loop_timer_start_at(resolver->loop, &query->deadline,
		query->arrived_us + resolver->config.hold_ms * UINT64_C(1000) + SETTLE_US);
	pending = upstream_start(resolver->upstream, query->question.text, type,
		query->question.class, query->question.cd, take_other, query);
	/* An answer from the cache may have ended the query already. */
	HASH_FIND(hh, resolver->queries, &key, sizeof(key), query);
	if (pending && query && query->id == id)
		query->upstream = pending;
}

/* --- the beginning ---------------------------------------------------------------------------------------- */

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
	size_t len = message_build_error(question, rcode, NULL, out, sizeof(out));

	if (len)
		listener_answer(client, out, len);
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

static void begin(struct resolver *resolver, const struct client *client,
	const struct message_query *question, const struct query_key *key)
{
	struct query *query = mem_new(struct query);
	char text[MESSAGE_TEXT_NAME + 20], type[16];
	struct upstream_query *pending;
	uint64_t id = ++resolver->last_id;

	query->resolver = resolver;
	query->id = id;
	query->client = *client;
	query->question = *question;
	query->key = *key;
	query->arrived_us = loop_now_us(resolver->loop);
	query->deadline = (struct loop_timer){.fired = deadline_over, .arg = query};
	query->grace = (struct loop_timer){.fired = grace_over, .arg = query};
	HASH_ADD(hh, resolver->queries, key, sizeof(query->key), query);
	snprintf(text, sizeof(text), "%s %s", question->text, type_name(question->type, type));
	tell(query, RESOLVER_STAGE_QUERY, text);
	if (resolver->forwarder_count == 0) {
		query->cause = (struct message_error){.present = true,
			.code = MESSAGE_EDE_OTHER,
			.text = "no forwarder is configured (dns-forward=) and none was found"};
		answer_error(query, MESSAGE_SERVFAIL);
		return;
	}
	pending = upstream_start(resolver->upstream, question->text, question->type, question->class,
		question->cd, take_answer, query);
	HASH_FIND(hh, resolver->queries, key, sizeof(*key), query);
	if (pending && query && query->id == id)
		query->upstream = pending;
}

void query_take(struct resolver *resolver, const struct client *client, const uint8_t *data, size_t len)
{
	struct message_query question;
	struct query_key key;
	struct query *known;
	int rcode;

	if (!may_ask(resolver, client)) {
		resolver->counters.refused++;
		return;
	}
	switch (message_parse_query(data, len, &question, &rcode)) {
	case MESSAGE_DROP:
		resolver->counters.malformed++;
		return;
	case MESSAGE_REPLY:
		resolver->counters.malformed += rcode == MESSAGE_FORMERR;
		refuse(client, &question, rcode);
		return;
	case MESSAGE_QUERY:
		break;
	}
	fill_key(&key, client, &question);
	HASH_FIND(hh, resolver->queries, &key, sizeof(key), known);
	if (known)
		return; /* A9: its answer is on its way */
	resolver->counters.queries++;
	begin(resolver, client, &question, &key);
}
