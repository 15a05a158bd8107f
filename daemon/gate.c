/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver's gate, answered by policy (gate.h). */
#include "daemon/gate.h"

#include "daemon/addrs.h"
#include "daemon/joins.h"
#include "daemon/starts.h"
#include "daemon/trace.h"
#include "daemon/verify.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A resolver that waits: for the kernel to have the line of a name, then for policy. */
struct gate_wait {
	uint64_t handle;
	struct gate *gate;
	resolver_decided decided;
	void *arg;
	uint64_t query;
	char *qname; /* owned */
	struct addr addr;
	uint64_t generation;	/* of the names' lines that it waits for; 0: none */
	uint64_t policy_handle; /* what policy knows it by; 0: not yet */
	bool hurried;
	bool named; /* the address is in its group by name */
	UT_hash_handle hh;
	struct gate_wait *prev, *next; /* among those that wait for lines */
};

/* Owned by the daemon. */
struct gate {
	struct loop *loop;
	struct policy *policy;
	struct joins *joins;
	struct addrs *addrs;
	struct trace *trace;
	struct gate_wait *waits; /* by handle */
	struct gate_wait *for_lines; /* those of them with a generation */
	uint64_t last_handle;
	uint64_t next_conflict_us; /* not before is another conflict of names logged */
	struct starts *starts;	  /* N3 */
	struct verify *verify;
};

static enum resolver_verdict to_resolver(enum policy_verdict verdict)
{
	switch (verdict) {
	case POLICY_PASS:
	case POLICY_OPEN:
		return RESOLVER_PASS;
	case POLICY_ENCRYPTED:
		return RESOLVER_TUNNELLED;
	case POLICY_WAIT:
		return RESOLVER_WAIT;
	case POLICY_WITHHELD:
		return RESOLVER_WITHHELD;
	case POLICY_DENIED:
		return RESOLVER_BLOCKED;
	}
	return RESOLVER_WITHHELD;
}

/* P4: what is in its group by name is known for no longer than it stays there. */
static void to_decision(
	const struct policy_answer *answer, bool named, struct resolver_decision *out)
{
	*out = (struct resolver_decision){
		.verdict = to_resolver(answer->verdict), .max_ttl_s = answer->max_ttl_s};
	if (named && out->max_ttl_s > NAMES_OTHER_S)
		out->max_ttl_s = NAMES_OTHER_S;
	if (answer->line)
		text_copy(out->group, sizeof(out->group), policy_traits(answer->group)->name);
	text_copy(out->cause, sizeof(out->cause), answer->cause);
}

static void free_wait(struct gate_wait *wait)
{
	free(wait->qname);
	free(wait);
}

/* The lines of its name are there, or it waits no more. */
static void leave_lines(struct gate_wait *wait)
{
	if (wait->generation)
		DL_DELETE(wait->gate->for_lines, wait);
	wait->generation = 0;
}

static void forget_wait(struct gate_wait *wait)
{
	leave_lines(wait);
	HASH_DEL(wait->gate->waits, wait);
	free_wait(wait);
}

static void tell(struct gate_wait *wait, const struct resolver_decision *decision)
{
	resolver_decided decided = wait->decided;
	void *arg = wait->arg;

	forget_wait(wait);
	decided(arg, decision);
}

/* What policy says, and whether the peer is the one whose name was asked. */
static void decide(const struct gate_wait *wait, const struct policy_answer *answer,
	struct resolver_decision *out)
{
	to_decision(answer, wait->named, out);
	verify_answer(wait->gate->verify, wait->qname, &wait->addr, false, loop_now_us(wait->gate->loop), out);
}

static void policy_has_decided(void *arg, const struct policy_answer *answer)
{
	struct gate_wait *wait = arg;
	struct resolver_decision decision;

	decide(wait, answer, &decision);
	tell(wait, &decision);
}

/* An address in the answer to a query, as it is asked about. */
struct question {
	uint64_t query;
	const char *qname;
	const struct addr *addr;
	bool only_explain;
	const size_t *joining; /* the conn of a group that the name would put the address into; else NULL */
};

/* What failureshunt says for an address that is not decided. */
static bool fails_open(const struct gate *gate, const struct question *question,
	const struct policy_answer *answer)
{
	const struct policy_line *line = policy_line_get(gate->policy, answer->line);

	if (question->joining)
		return policy_conn_get(gate->policy, *question->joining)->failure_pass;
	return line && policy_conn_get(gate->policy, line->conn)->failure_pass;
}

/* What failureshunt says, at once, where a negotiation cannot be started. */
static void refuse(const struct gate *gate, const struct question *question,
	const struct policy_answer *expected, const char *cause, struct policy_answer *out)
{
	bool open = fails_open(gate, question, expected);

	*out = *expected;
	out->verdict = open ? POLICY_OPEN : POLICY_WITHHELD;
	out->max_ttl_s = open ? 1 : UINT32_MAX;
	snprintf(out->cause, sizeof(out->cause), "%s", cause);
}

static void ask_lines(const struct gate *gate, const struct question *question, const struct addr *local,
	struct policy_answer *answer)
{
	if (question->joining)
		policy_explain_conn(gate->policy, *question->joining, answer);
	else
		policy_explain(gate->policy, local, question->addr, answer, loop_now_us(gate->loop));
}

/*
 * Asked in the order of cost: the lines, the route, the flow. False when
 * *answer says all; else a negotiation from *local is to be started or joined.
 */
static bool needs_negotiation(struct gate *gate, const struct question *question, struct addr *local,
	struct policy_answer *answer)
{
	const struct addr *addr = question->addr;
	const char *why;

	ask_lines(gate, question, NULL, answer);
	if (answer->verdict != POLICY_WAIT)
		return false;
	if (!addrs_source(gate->addrs, addr, local)) {
		refuse(gate, question, answer, "no route", answer);
		return false;
	}
	/* A new lookup may have what the last one failed for. */
	if (!question->only_explain && verify_ask(gate->verify, addr, loop_now_us(gate->loop)))
		policy_forget_failures(gate->policy, addr, loop_now_us(gate->loop));
	ask_lines(gate, question, local, answer);
	if (answer->verdict != POLICY_WAIT)
		return false;
	why = answer->starts ? starts_refuse_lookup(gate->starts, question->query, question->qname,
				       addr, question->only_explain, loop_now_us(gate->loop))
			     : NULL;
	if (why)
		refuse(gate, question, answer, why, answer);
	return !why;
}

/* Starts or joins the negotiation; true when *answer says all already, else policy will tell the wait. */
static bool negotiate(struct gate_wait *wait, const struct addr *local, struct policy_answer *answer)
{
	struct gate *gate = wait->gate;

	trace_waits_for(gate->trace, wait->query, &wait->addr);
	wait->policy_handle = policy_want(gate->policy, local, &wait->addr, POLICY_TRIGGER_DNS, 0,
		policy_has_decided, wait, answer, loop_now_us(gate->loop));
	return answer->verdict != POLICY_WAIT;
}

/* --- names --------------------------------------------------------------------------------- */

/* The kernel has the line of the name: what it says is asked now. */
static void go_on(struct gate_wait *wait, int error)
{
	struct resolver_decision decision = {.verdict = RESOLVER_WITHHELD,
		.max_ttl_s = UINT32_MAX,
		.cause = "the kernel refused the policies of its name"};
	struct question question = {.query = wait->query, .qname = wait->qname, .addr = &wait->addr};
	struct policy_answer answer;
	struct addr local;

	leave_lines(wait);
	if (error) {
		tell(wait, &decision);
		return;
	}
	if (!needs_negotiation(wait->gate, &question, &local, &answer) ||
		negotiate(wait, &local, &answer)) {
		decide(wait, &answer, &decision);
		tell(wait, &decision);
	} else if (wait->hurried) {
		policy_hurry(wait->gate->policy, wait->policy_handle,
			loop_now_us(wait->gate->loop));
	}
}

/* Telling one may end others (a query that goes cancels its waits): looked for from the start each time. */
static void names_installed(void *arg, uint64_t generation, int error)
{
	struct gate *gate = arg;
	struct gate_wait *wait;

	do {
		wait = gate->for_lines;
		while (wait && wait->generation > generation)
			wait = wait->next;
		if (wait)
			go_on(wait, error);
	} while (wait);
}

/* Answers can cause it: one a second is told. */
static void log_conflict(struct gate *gate, const char *qname, const struct addr *addr, const char *text)
{
	uint64_t now_us = loop_now_us(gate->loop);
	char remote[ADDR_TEXT];

	if (now_us < gate->next_conflict_us)
		return;
	gate->next_conflict_us = now_us + 1000000;
	log_warning("%s of a private name is withheld: %s", addr_format(addr, remote), text);
	log_debug("the name was %s", qname);
}

/* What the name alone says; true when that is all. */
static bool name_decides(enum names_word word, const char *text, struct resolver_decision *out)
{
	bool blocked = word == NAMES_BLOCKED;

	if (!blocked && word != NAMES_CONFLICT && word != NAMES_FULL)
		return false;
	*out = (struct resolver_decision){
		.verdict = blocked ? RESOLVER_BLOCKED : RESOLVER_WITHHELD, .max_ttl_s = UINT32_MAX};
	snprintf(out->group, sizeof(out->group), "%s",
		policy_traits(blocked ? POLICY_BLOCK : POLICY_PRIVATE)->name);
	snprintf(out->cause, sizeof(out->cause), "%.*s", (int)sizeof(out->cause) - 1, text);
	return true;
}

/* --- the resolver's side ------------------------------------------------------------------- */

static void want(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	resolver_decided decided, void *decided_arg, struct resolver_decision *out, uint64_t *handle)
{
	struct gate *gate = arg;
	char text[NAMES_TEXT];
	uint64_t generation;
	enum names_word word = joins_learn(gate->joins, qname, addr, &generation, text);
	struct question question = {.query = query, .qname = qname, .addr = addr};
	struct policy_answer answer = {.verdict = POLICY_WAIT, .max_ttl_s = UINT32_MAX};
	bool named = word == NAMES_NEW || word == NAMES_JOINED;
	struct gate_wait *wait;
	struct addr local;

	if (name_decides(word, text, out)) {
		if (word != NAMES_BLOCKED)
			log_conflict(gate, qname, addr, text);
		return;
	}
	if (!generation && !needs_negotiation(gate, &question, &local, &answer)) {
		to_decision(&answer, named, out);
		verify_answer(gate->verify, qname, addr, false, loop_now_us(gate->loop), out);
		return;
	}
	wait = mem_new(struct gate_wait);
	*wait = (struct gate_wait){.gate = gate,
		.decided = decided,
		.arg = decided_arg,
		.query = query,
		.qname = mem_strdup(qname),
		.addr = *addr,
		.generation = generation,
		.named = named};
	if (!generation && negotiate(wait, &local, &answer)) {
		decide(wait, &answer, out);
		free_wait(wait);
		return;
	}
	to_decision(&answer, named, out);
	*handle = wait->handle = ++gate->last_handle;
	HASH_ADD(hh, gate->waits, handle, sizeof(wait->handle), wait);
	if (generation)
		DL_APPEND(gate->for_lines, wait);
}

/* What a verdict will mean for the address. */
static const char *words_of(enum resolver_verdict verdict, bool open_after_failure)
{
	switch (verdict) {
	case RESOLVER_PASS:
		return "passes without a tunnel";
	case RESOLVER_TUNNELLED:
		return "goes through its tunnel";
	case RESOLVER_WAIT:
		return open_after_failure ? "waits for a tunnel; if that fails, passes without"
					  : "waits for a tunnel; if that fails, is withheld";
	case RESOLVER_WITHHELD:
		return "is withheld";
	case RESOLVER_BLOCKED:
		return "is taken out";
	}
	return "?";
}

/* "private:3", or "private:1 *.corp.example" for a name; "no line" when none covers the address. */
static void place_of(const struct gate *gate, const struct policy_name *name, uint32_t id, char out[128])
{
	const struct policy_line *line = policy_line_get(gate->policy, id);
	const char *file = name ? name->file : line ? line->file : NULL;
	const char *slash = file ? strrchr(file, '/') : NULL;

	if (name)
		snprintf(out, 128, "%.40s:%u %.60s", slash ? slash + 1 : file ? file : "?", name->line, name->pattern);
	else if (line)
		snprintf(out, 128, "%.40s:%u", slash ? slash + 1 : file ? file : "?", line->line);
	else
		snprintf(out, 128, "no line");
}

static void explain(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	struct resolver_decision *out, char *why, size_t room)
{
	struct gate *gate = arg;
	char text[NAMES_TEXT], place[128];
	const struct policy_name *name;
	enum names_word word = joins_judge(gate->joins, qname, addr, &name, text);
	bool named = word == NAMES_NEW || word == NAMES_JOINED;
	struct question question = {.query = query,
		.qname = qname,
		.addr = addr,
		.only_explain = true,
		.joining = word == NAMES_NEW ? &name->conn : NULL};
	struct policy_answer answer = {.verdict = POLICY_PASS};
	struct addr local;

	if (name_decides(word, text, out)) {
		snprintf(why, room, "%s: %s", words_of(out->verdict, false), out->cause);
		return;
	}
	needs_negotiation(gate, &question, &local, &answer);
	to_decision(&answer, named, out);
	verify_answer(gate->verify, qname, addr, true, loop_now_us(gate->loop), out);
	if (named)
		text_copy(out->group, sizeof(out->group), policy_traits(answer.group)->name);
	place_of(gate, word == NAMES_NOTHING ? NULL : name, answer.line, place);
	snprintf(why, room, "%s%s%s (%s)", words_of(out->verdict, fails_open(gate, &question, &answer)),
		out->cause[0] ? ": " : "", out->cause, place);
}

static struct gate_wait *find_wait(const struct gate *gate, uint64_t handle)
{
	struct gate_wait *wait;

	HASH_FIND(hh, gate->waits, &handle, sizeof(handle), wait);
	return wait;
}

static void cancel(void *arg, uint64_t handle)
{
	struct gate *gate = arg;
	struct gate_wait *wait = find_wait(gate, handle);

	if (!wait)
		return;
	policy_cancel(gate->policy, wait->policy_handle);
	forget_wait(wait);
}

static void hurry(void *arg, uint64_t handle)
{
	struct gate *gate = arg;
	struct gate_wait *wait = find_wait(gate, handle);

	if (!wait)
		return;
	wait->hurried = true;
	policy_hurry(gate->policy, wait->policy_handle, loop_now_us(gate->loop));
}

const struct resolver_gate gate_ops = {
	.want = want, .explain = explain, .cancel = cancel, .hurry = hurry};

struct gate *gate_new(struct loop *loop, struct policy *policy, struct joins *joins,
	struct addrs *addrs, struct trace *trace, struct starts *starts, struct verify *verify)
{
	struct gate *gate = mem_new(struct gate);

	*gate = (struct gate){.loop = loop,
		.policy = policy,
		.joins = joins,
		.addrs = addrs,
		.trace = trace,
		.starts = starts,
		.verify = verify};
	joins_listen(joins, names_installed, gate);
	return gate;
}

void gate_free(struct gate *gate)
{
	struct gate_wait *wait, *next;

	if (!gate)
		return;
	joins_listen(gate->joins, NULL, NULL);
	HASH_ITER (hh, gate->waits, wait, next) {
		policy_cancel(gate->policy, wait->policy_handle);
		forget_wait(wait);
	}
	free(gate);
}
