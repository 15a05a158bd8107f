/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client query's life:
 *
 *   ASKED    upstream is asked
 *   HELD     the answer is here, addresses in it are not decided (A2 to A4)
 *   OTHER    nothing was usable; the other family is looked up (A5)
 *   -> answered and released
 *
 * The resolver owns queries; query_release() is their only end. One that is
 * answered from the cache, with nothing to wait for, never enters its table.
 */
#ifndef RESOLVER_QUERY_H
#define RESOLVER_QUERY_H

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "resolver/hold.h"
#include "resolver/listener.h"
#include "resolver/message.h"
#include "resolver/pair.h"
#include "resolver/upstream.h"

/* Who asked what: a client's retransmission is the same (A9). Compared as bytes; zeroed first. */
struct query_key {
	uint64_t connection;
	uint16_t id, type, port;
	uint8_t addr[17];
	uint8_t name_len;
	uint8_t name[MESSAGE_NAME_MAX];
};

enum query_phase { QUERY_ASKED, QUERY_HELD, QUERY_OTHER };

struct query {
	struct resolver *resolver;
	uint64_t id;
	enum query_phase phase;
	struct client client;
	bool kept; /* is in the resolver's table */
	uint64_t arrived_us;
	struct upstream_query *upstream;
	struct message *answer;
	bool secure;
	struct hold hold;
	struct pair_half pair; /* with the query for the other family; without a key until it is needed */
	struct message_error cause; /* of what was taken out, kept while the other family is asked */
	struct loop_timer deadline, grace;
	bool hurried;
	UT_hash_handle hh;
	/* Filled in first; all before is zeroed then. */
	struct message_query question;
	struct query_key key;
};

/* What queries need of their resolver. */
struct resolver {
	struct loop *loop;
	const struct resolver_gate *gate;
	void *gate_arg;
	const struct resolver_observer *observer;
	void *observer_arg;
	struct resolver_config config; /* own copies of the lists */
	struct listener **listeners;
	size_t listener_count;
	struct upstream *upstream;
	const char *const *forward_files; /* of rule A11; ended by NULL */
	struct endpoint *forwarders;
	size_t forwarder_count;
	struct query *queries; /* by key: those that wait for something */
	struct pairs *pairs;
	struct query *spare;   /* memory for the next one; NULL: none */
	uint64_t last_id;
	size_t held_now;
	const struct resolver_debug *debug; /* NULL: no debug names */
	void *debug_arg;
	struct log_limit debug_limit;
	struct explanation *explanations; /* debug.c */
	size_t explanation_count;
	struct resolver_counters counters;
};

/* Takes a message that a listener has received; true when it is, or will be, answered (listener_query). */
bool query_take(struct resolver *resolver, const struct client *client, const uint8_t *data, size_t len);
void query_release(struct query *query);
/* How long an answer may be: over UDP what the client takes, and no more than passes without fragments. */
size_t query_limit(const struct client *client, const struct message_query *question);

#endif
