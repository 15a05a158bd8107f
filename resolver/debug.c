/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug names (debug.h). */
#include "resolver/debug.h"

#include "lib/mem.h"
#include "lib/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ZONE "oe"
#define TYPE_TXT 16
/* Programs on this host can ask without end, and some answers walk long lists. */
#define BURST 64
#define INTERVAL_US 20000u
#define MAX_EXPLANATIONS 32
/* All lines together with what is around each: a message of TCP holds them. */
#define TEXTS_MAX 60000u
#define AROUND_TEXT 13 /* pointer to the owner, type, class, TTL, two lengths */

/* --- lines ------------------------------------------------------------------------------------ */

static void add_line(void *arg, const char *text)
{
	struct message_texts *texts = arg;
	size_t len = strnlen(text, MESSAGE_TEXT_MAX);

	if (texts->full)
		return;
	if (texts->list.len + texts->count * AROUND_TEXT + len >= TEXTS_MAX) {
		texts->full = true;
		text = "and more: see oectl peers";
		len = strlen(text);
	}
	strbuf_add(&texts->list, text, len);
	strbuf_add(&texts->list, "", 1);
	texts->count++;
}

static void send_answer(struct resolver *resolver, const struct client *client,
	const struct message_query *question, int rcode, struct message_texts *texts)
{
	static uint8_t out[MESSAGE_MAX];
	size_t len;

	resolver->counters.refused += rcode == MESSAGE_REFUSED;
	len = rcode == MESSAGE_NOERROR
		      ? message_build_texts(question, texts, query_limit(client, question), out, sizeof(out))
		      : message_build_error(question, rcode, NULL, out, sizeof(out));
	strbuf_clear(&texts->list);
	listener_answer(client, out, len);
}

/* --- explanations ----------------------------------------------------------------------------- */

/* Owned by the resolver; answered and freed in finish(). */
struct explanation {
	struct resolver *resolver;
	struct client client;
	struct message_query question;
	char name[MESSAGE_TEXT_NAME]; /* that is explained */
	uint16_t type;		      /* that is being asked for */
	struct upstream_query *upstream;
	struct message_texts texts;
	struct explanation *prev, *next;
};

static void free_explanation(struct explanation *explanation)
{
	struct resolver *resolver = explanation->resolver;

	upstream_cancel(explanation->upstream);
	strbuf_clear(&explanation->texts.list);
	DL_DELETE(resolver->explanations, explanation);
	resolver->explanation_count--;
	free(explanation);
}

static void finish(struct explanation *explanation)
{
	send_answer(explanation->resolver, &explanation->client, &explanation->question, MESSAGE_NOERROR,
		&explanation->texts);
	free_explanation(explanation);
}

/* What the gate would say of an address, as a line; its verdict goes to the hold. */
static void explain_address(struct explanation *explanation, uint64_t query, struct hold_item *item)
{
	const struct resolver *resolver = explanation->resolver;
	char why[256], addr[ADDR_TEXT], line[512];

	resolver->gate->explain(resolver->gate_arg, query, explanation->name, &item->addr, &item->decision,
		why, sizeof(why));
	snprintf(line, sizeof(line), "%s: %s%s%s", addr_format(&item->addr, addr), item->decision.group,
		item->decision.group[0] ? " " : "", why);
	add_line(&explanation->texts, line);
}

/* What a client would get, and when: A2 to A5. */
static void explain_answer(const struct explanation *explanation, const struct hold *hold, char *out, size_t room)
{
	const struct resolver_config *config = &explanation->resolver->config;

	if (hold->count == 0) {
		snprintf(out, room, "answered at once, without addresses");
		return;
	}
	switch (hold_look(hold)) {
	case HOLD_KEEP:
		snprintf(out, room, "held until one is decided, for %u ms at most", config->hold_ms);
		return;
	case HOLD_GRACE:
		snprintf(out, room, "held for those that wait, for %u ms at most", config->hold_grace_ms);
		return;
	case HOLD_GO:
		break;
	}
	switch (hold_shape(hold, HOLD_KIND_ADDRESS)) {
	case HOLD_SHAPE_USABLE:
	case HOLD_SHAPE_WHOLE:
		snprintf(out, room, "answered at once, with %zu of %zu addresses", hold_usable(hold), hold->count);
		break;
	case HOLD_SHAPE_NODATA:
		snprintf(out, room, "answered at once, without the addresses, all of them blocked");
		break;
	case HOLD_SHAPE_OTHER:
		snprintf(out, room, "empty if the other family has an address to use, else SERVFAIL");
		break;
	case HOLD_SHAPE_FAIL:
		snprintf(out, room, "SERVFAIL");
		break;
	}
}

static const char *family_name(uint16_t type)
{
	return type == MESSAGE_TYPE_A ? "A" : "AAAA";
}

static void explain_addresses(struct explanation *explanation, const struct addr *addrs, size_t count, int rcode)
{
	uint64_t query = ++explanation->resolver->last_id;
	struct hold hold = {.count = 0};
	char outcome[128], code[32] = "", line[256];

	hold_init(&hold, addrs, count, NULL);
	for (size_t i = 0; i < hold.count; i++)
		explain_address(explanation, query, &hold.items[i]);
	explain_answer(explanation, &hold, outcome, sizeof(outcome));
	if (rcode != MESSAGE_NOERROR)
		snprintf(code, sizeof(code), " (rcode %d%s)", rcode, rcode == MESSAGE_NXDOMAIN ? ", NXDOMAIN" : "");
	snprintf(line, sizeof(line), "%s: %s%s", family_name(explanation->type), outcome, code);
	add_line(&explanation->texts, line);
	hold_clear(&hold);
}

static void explain_failure(struct explanation *explanation, const struct upstream_answer *answer)
{
	char line[512];

	snprintf(line, sizeof(line), "%s: SERVFAIL: %s", family_name(explanation->type),
		answer->bogus ? answer->bogus : "no answer from the forwarders");
	add_line(&explanation->texts, line);
}

static void ask(struct explanation *explanation, uint16_t type);

static void take_answer(void *arg, const struct upstream_answer *answer)
{
	struct explanation *explanation = arg;
	struct message *message =
		answer->packet && !answer->bogus ? message_parse(answer->packet, answer->len) : NULL;
	struct addr addrs[HOLD_MAX];

	explanation->upstream = NULL;
	if (message)
		explain_addresses(explanation, addrs, message_addresses(message, addrs, HOLD_MAX),
			message_rcode(message));
	else
		explain_failure(explanation, answer);
	message_free(message);
	if (explanation->type == MESSAGE_TYPE_A)
		ask(explanation, MESSAGE_TYPE_AAAA);
	else
		finish(explanation);
}

static void ask(struct explanation *explanation, uint16_t type)
{
	const struct resolver *resolver = explanation->resolver;
	struct upstream_query *pending;

	explanation->type = type;
	pending = upstream_start(resolver->upstream, explanation->name, type, MESSAGE_CLASS_IN,
		explanation->question.cd, take_answer, explanation);
	/* Without one, an answer from the cache may have ended the explanation already. */
	if (pending)
		explanation->upstream = pending;
}

static void explain(struct resolver *resolver, const struct client *client,
	const struct message_query *question, const char *name)
{
	struct message_texts none = {.full = false};
	struct explanation *explanation;
	struct addr addr;

	if (resolver->explanation_count >= MAX_EXPLANATIONS) {
		send_answer(resolver, client, question, MESSAGE_SERVFAIL, &none);
		return;
	}
	explanation = mem_new(struct explanation);
	explanation->resolver = resolver;
	explanation->client = *client;
	explanation->question = *question;
	text_copy(explanation->name, sizeof(explanation->name), name);
	DL_APPEND(resolver->explanations, explanation);
	resolver->explanation_count++;
	if (addr_parse(name, &addr)) {
		explanation->type = addr.family == ADDR_IPV4 ? MESSAGE_TYPE_A : MESSAGE_TYPE_AAAA;
		explain_addresses(explanation, &addr, 1, MESSAGE_NOERROR);
		finish(explanation);
	} else if (resolver->forwarder_count == 0) {
		add_line(&explanation->texts, "SERVFAIL: there is no forwarder");
		finish(explanation);
	} else {
		ask(explanation, MESSAGE_TYPE_A);
	}
}

void debug_release(struct resolver *resolver, const struct listener *listener)
{
	struct explanation *explanation, *next;

	DL_FOREACH_SAFE (resolver->explanations, explanation, next) {
		if (!listener || explanation->client.listener == listener)
			free_explanation(explanation);
	}
}

/* --- names -------------------------------------------------------------------------------------- */

/* Cuts ".SUFFIX" off a name, in place; false when it ends otherwise. */
static bool cut_suffix(char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	if (len <= suffix_len + 1 || name[len - suffix_len - 1] != '.' ||
		strcmp(name + len - suffix_len, suffix) != 0)
		return false;
	name[len - suffix_len - 1] = '\0';
	return true;
}

/* Names that only stand above others. */
static bool is_empty_name(const char *name)
{
	return strcmp(name, "peer") == 0 || strcmp(name, "explain") == 0;
}

/* What the daemon says about `name` (below the zone); NXDOMAIN when it knows none. */
static int ask_daemon(const struct resolver *resolver, char *name, struct message_texts *texts)
{
	const struct resolver_debug *debug = resolver->debug;
	struct addr addr;

	if (!debug)
		return MESSAGE_REFUSED;
	if (strcmp(name, "version") == 0)
		debug->version(resolver->debug_arg, add_line, texts);
	else if (strcmp(name, "peers") == 0)
		debug->peers(resolver->debug_arg, NULL, add_line, texts);
	else if (strcmp(name, "groups") == 0)
		debug->groups(resolver->debug_arg, add_line, texts);
	else if (!cut_suffix(name, "peer") || !addr_parse(name, &addr))
		return MESSAGE_NXDOMAIN;
	else {
		debug->peers(resolver->debug_arg, &addr, add_line, texts);
		return texts->list.len ? MESSAGE_NOERROR : MESSAGE_NXDOMAIN;
	}
	return MESSAGE_NOERROR;
}

static bool is_local(const struct client *client)
{
	return addr_is_loopback(&client->remote.addr) || addr_equal(&client->remote.addr, &client->local);
}

static bool may_ask(struct resolver *resolver, const struct client *client)
{
	return is_local(client) &&
	       log_limit_pass(&resolver->debug_limit, loop_now_us(resolver->loop), BURST, INTERVAL_US);
}

void debug_take(struct resolver *resolver, const struct client *client, const struct message_query *question)
{
	struct message_texts texts = {.full = false};
	bool wants_text = question->type == TYPE_TXT || question->type == MESSAGE_TYPE_ANY;
	char name[MESSAGE_TEXT_NAME];
	int rcode = MESSAGE_NOERROR;

	text_copy(name, sizeof(name), question->text);
	if (!may_ask(resolver, client) || (strcmp(name, ZONE) != 0 && !cut_suffix(name, ZONE))) {
		rcode = MESSAGE_REFUSED;
	} else if (strcmp(name, ZONE) != 0 && !is_empty_name(name)) {
		bool to_explain = cut_suffix(name, "explain");

		if (to_explain && wants_text) {
			explain(resolver, client, question, name);
			return;
		}
		if (!to_explain)
			rcode = ask_daemon(resolver, name, &texts);
	}
	/* The name is there, but not with this type. */
	if (!wants_text)
		strbuf_clear(&texts.list);
	send_answer(resolver, client, question, rcode, &texts);
}
