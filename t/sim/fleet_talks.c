/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Talks of the fleet (fleet.h): an application on one host says something to
 * another so many times, and may hear an answer to each. It looks the other up
 * first, or has its address already.
 *
 *   LOOKING_UP -> TALKING -> LISTENING -> free
 *
 * While its packets leave in ESP and none arrives the talk is dark, and there is
 * a bound to that (N7). A lookup has one, too (A4).
 */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <stdlib.h>

#define DNS_HOLD (2 * SECOND)
#define HURRY_MAX (100 * MS)

enum talk_state { FREE, LOOKING_UP, TALKING, LISTENING };

struct talk {
	enum talk_state state;
	size_t number;
	uint32_t serial;
	size_t from, to;
	struct addr local, remote; /* as it was when it began */
	uint64_t lookup;	   /* handle; of a daemon that may have died */
	unsigned life;
	enum line line;
	bool hurried;
	unsigned left; /* packets */
	uint64_t interval_us;
	bool answered;
	uint64_t dark_since_us; /* of the first packet since one has arrived; 0: none */
	uint64_t delivered;
};

static struct talk **talks;
static size_t talk_count, last_free;

static struct talk *find(size_t number, uint32_t serial)
{
	struct talk *talk = number < talk_count ? talks[number] : NULL;

	return talk && talk->serial == serial && talk->state != FREE ? talk : NULL;
}

static struct talk *add_talk(void)
{
	struct talk *talk;

	for (size_t i = 0; i < talk_count; i++) {
		last_free = (last_free + 1) % talk_count;
		if (talks[last_free]->state == FREE)
			return talks[last_free];
		if (i >= 64)
			break;
	}
	talk = mem_new(struct talk);
	talk->number = talk_count++;
	talks = mem_resize(talks, talk_count, sizeof(struct talk *));
	talks[talk->number] = talk;
	return talk;
}

static void call_later(const struct talk *talk, enum event_kind kind, uint64_t delay_us)
{
	struct event *event = add_event(kind, &hosts[talk->from], delay_us);

	event->id = talk->number;
	event->serial = talk->serial;
}

static struct talk *make_talk(struct host *from, const struct host *to, enum line line, unsigned packets,
	uint64_t interval_us, bool answered)
{
	struct talk *talk = add_talk();

	*talk = (struct talk){.number = talk->number,
		.serial = talk->serial + 1,
		.from = from->number,
		.to = to->number,
		.local = from->addr,
		.remote = to->outer,
		.life = from->life,
		.line = line,
		.left = packets,
		.interval_us = interval_us,
		.answered = answered};
	return talk;
}

size_t talk_begin(struct host *from, const struct host *to, enum line line, unsigned packets,
	uint64_t interval_us, bool answered)
{
	struct talk *talk = make_talk(from, to, line, packets, interval_us, answered);

	talk->state = TALKING;
	call_later(talk, EVENT_TALK, 0);
	return talk->number;
}

void talk_end(size_t number)
{
	talks[number]->state = FREE;
}

void talks_end(void)
{
	for (size_t i = 0; i < talk_count; i++)
		free(talks[i]);
	free(talks);
	talks = NULL;
	talk_count = last_free = 0;
}

uint64_t talk_delivered(size_t number)
{
	return talks[number]->delivered;
}

/* --- looking up ---------------------------------------------------------------------------------- */

static void take_verdict(struct talk *talk, enum policy_verdict verdict)
{
	switch (verdict) {
	case POLICY_PASS:
	case POLICY_ENCRYPTED:
	case POLICY_OPEN:
		talk->state = TALKING;
		call_later(talk, EVENT_TALK, below(MS));
		break;
	case POLICY_WAIT:
	case POLICY_WITHHELD:
	case POLICY_DENIED:
		talk_end(talk->number);
		break;
	}
}

static void take_decided(void *arg, const struct policy_answer *answer)
{
	struct talk *talk = arg;

	if (talk->state != LOOKING_UP)
		violate(&hosts[talk->from], "a lookup is decided twice");
	take_verdict(talk, answer->verdict);
}

static void look_up(struct talk *talk)
{
	struct host *from = &hosts[talk->from];
	struct policy_answer answer;

	tally.lookups++;
	talk->state = LOOKING_UP;
	talk->lookup = policy_want(from->policy, &talk->local, &talk->remote, POLICY_TRIGGER_DNS, 0, take_decided,
		talk, &answer, clock_of(from));
	if (talk->lookup)
		call_later(talk, EVENT_HURRY, DNS_HOLD);
	else
		take_verdict(talk, answer.verdict);
}

void talk_hurry(size_t number, uint32_t serial)
{
	struct talk *talk = find(number, serial);
	struct host *from = talk ? &hosts[talk->from] : NULL;

	if (!talk || talk->state != LOOKING_UP)
		return;
	if (from->life != talk->life) {
		talk_end(number);
	} else if (!talk->hurried) {
		talk->hurried = true;
		policy_hurry(from->policy, talk->lookup, clock_of(from));
		call_later(talk, EVENT_HURRY, HURRY_MAX);
	} else {
		violate(from, "a lookup of host %zu is held past dns-hold (A4)", talk->to);
		policy_cancel(from->policy, talk->lookup);
		talk_end(number);
	}
}

/* Mostly short, some slow, few busy. */
void talk_of_any_kind(struct host *from, const struct host *to)
{
	uint64_t kind = below(100);
	bool answered = below(4) != 0, looks = from->ike && below(3) == 0;
	enum line line = below(4) ? LINE_ALL : LINE_CLIENT;
	struct talk *talk;

	if (kind < 80)
		talk = make_talk(from, to, line, (unsigned)(1 + below(6)), 10 * MS + below(SECOND), answered);
	else if (kind < 98)
		talk = make_talk(from, to, line, (unsigned)(10 + below(20)), SECOND / 2 + below(12 * SECOND), answered);
	else
		talk = make_talk(from, to, line, (unsigned)(100 + below(200)), 10 * MS + below(200 * MS), answered);
	talk->state = TALKING;
	if (looks)
		look_up(talk);
	else
		call_later(talk, EVENT_TALK, 0);
}

/* --- talking --------------------------------------------------------------------------------------- */

static bool can_go_on(const struct talk *talk)
{
	const struct host *from = &hosts[talk->from], *to = &hosts[talk->to];

	return talk->left && from->is_up && addr_equal(&from->addr, &talk->local) &&
	       addr_equal(&to->outer, &talk->remote);
}

/* N7: what leaves arrives, or the peer is found dead and negotiated with anew. */
static void check_dark(struct talk *talk)
{
	const struct host *from = &hosts[talk->from], *to = &hosts[talk->to];
	uint64_t since_us = undisturbed_since(from, to);

	if (!talk->dark_since_us || since_us > now_us)
		return;
	if (since_us < talk->dark_since_us)
		since_us = talk->dark_since_us;
	if (now_us - since_us <= BLACK_MAX + talk->interval_us)
		return;
	violate(from, "nothing gets through to host %zu for %.1f s, without a fault for %.1f s (N7)", to->number,
		(double)(now_us - talk->dark_since_us) / 1e6,
		(double)(now_us - undisturbed_since(from, to)) / 1e6);
	talk->dark_since_us = 0;
}

void talk_due(size_t number, uint32_t serial)
{
	struct talk *talk = find(number, serial);
	struct message message = {.talk = number, .serial = serial};

	if (!talk)
		return;
	message.line = (uint8_t)talk->line;
	if (!can_go_on(talk)) {
		talk_end(number);
		return;
	}
	check_dark(talk);
	talk->left--;
	plane_send(&hosts[talk->from], &talk->local, &talk->remote, &message);
	if (!talk->left)
		talk->state = LISTENING;
	call_later(talk, EVENT_TALK, talk->left ? talk->interval_us : 2 * SECOND);
}

void talk_sent(const struct message *message)
{
	struct talk *talk = find(message->talk, message->serial);

	if (talk && !message->is_answer && !talk->dark_since_us)
		talk->dark_since_us = now_us;
}

/* The sender is told, or gets what its group allows: nothing is dark about it (N6). */
void talk_shunted(const struct message *message)
{
	struct talk *talk = find(message->talk, message->serial);

	if (talk && !message->is_answer)
		talk->dark_since_us = 0;
}

void talk_arrived(struct host *at, const struct addr *local, const struct addr *remote,
	const struct message *message)
{
	struct talk *talk = find(message->talk, message->serial);
	struct message answer = *message;

	tally.delivered++;
	if (!talk)
		return;
	if (!message->is_answer && talk->answered) {
		answer.is_answer = true;
		answer.line = talk->line == LINE_CLIENT ? LINE_SERVER : LINE_ALL;
		plane_send(at, local, remote, &answer);
		return;
	}
	talk->delivered++;
	talk->dark_since_us = 0;
}
