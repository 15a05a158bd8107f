/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libunbound in our loop (upstream.h): an event base of its interface is our
 * loop; an event is a descriptor watcher and a timer.
 *
 * libunbound fixes its options at the first query, so another configuration is
 * another context; the old one goes when its last query has ended.
 *
 * A forwarder that was silent for a while is given up by libunbound for up to
 * a quarter of an hour, which is right where another one answers, and wrong after
 * every outage where none does. So beside each context stands one that forgets
 * what it knows of forwarders within seconds: it is asked what the first one
 * refuses to try.
 */
#include "resolver/upstream.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>
#include <utlist.h>

#define HEADER_LEN 12
#define MAX_SOCKETS 4096u /* to forwarders, of a context */
#define FORGETS_AFTER_S "5"
/* A failure that comes later than this is not a refusal: forwarders were asked. */
#define REFUSAL_US 1000000u

/* --- the event base ---------------------------------------------------------------------------- */

struct base {
	struct ub_event_base super;
	struct loop *loop;
};

struct event {
	struct ub_event super;
	struct base *base;
	int fd;
	short bits;
	void (*callback)(int fd, short bits, void *arg);
	void *arg;
	uint64_t timeout_us; /* of a persistent event */
	struct loop_io io;
	struct loop_timer timer;
};

static struct event *event_of(struct ub_event *event)
{
	return (struct event *)event;
}

static void stop(struct event *event)
{
	loop_io_stop(event->base->loop, &event->io);
	loop_timer_stop(event->base->loop, &event->timer);
}

/* An event that does not persist is over before its callback, which may free it. */
static void fire(struct event *event, short bits)
{
	if (!(event->bits & UB_EV_PERSIST))
		stop(event);
	else if (event->timeout_us)
		loop_timer_start(event->base->loop, &event->timer, event->timeout_us);
	event->callback(event->fd, bits, event->arg);
}

static void io_ready(struct loop_io *io, int events)
{
	fire(io->arg, (short)((events & LOOP_READ ? UB_EV_READ : 0) |
			      (events & LOOP_WRITE ? UB_EV_WRITE : 0)));
}

static void timer_fired(struct loop_timer *timer)
{
	fire(timer->arg, UB_EV_TIMEOUT);
}

static void add_bits(struct ub_event *event, short bits)
{
	event_of(event)->bits |= bits;
}

static void del_bits(struct ub_event *event, short bits)
{
	event_of(event)->bits = (short)(event_of(event)->bits & ~bits);
}

static void set_fd(struct ub_event *event, int fd)
{
	event_of(event)->fd = fd;
}

static void event_free(struct ub_event *event)
{
	stop(event_of(event));
	free(event);
}

/* A timeout of zero means "now" to libunbound. */
static void start_timer(struct event *event, const struct timeval *timeout)
{
	event->timeout_us =
		(uint64_t)timeout->tv_sec * 1000000u + (uint64_t)timeout->tv_usec;
	loop_timer_start(event->base->loop, &event->timer, event->timeout_us);
}

static int add(struct ub_event *ub_event, struct timeval *timeout)
{
	struct event *event = event_of(ub_event);
	int events = (event->bits & UB_EV_READ ? LOOP_READ : 0) |
		     (event->bits & UB_EV_WRITE ? LOOP_WRITE : 0);

	stop(event);
	event->timeout_us = 0;
	if (event->fd >= 0 && events)
		loop_io_start(event->base->loop, &event->io, event->fd, events);
	if (timeout)
		start_timer(event, timeout);
	return 0;
}

static int del(struct ub_event *event)
{
	stop(event_of(event));
	return 0;
}

static int add_timer(struct ub_event *ub_event, struct ub_event_base *base,
	void (*callback)(int fd, short bits, void *arg), void *arg, struct timeval *timeout)
{
	struct event *event = event_of(ub_event);

	(void)base;
	event->callback = callback;
	event->arg = arg;
	start_timer(event, timeout);
	return 0;
}

static int del_timer(struct ub_event *event)
{
	loop_timer_stop(event_of(event)->base->loop, &event_of(event)->timer);
	return 0;
}

static int no_signal_add(struct ub_event *event, struct timeval *timeout)
{
	(void)event;
	(void)timeout;
	return -1;
}

static int no_signal_del(struct ub_event *event)
{
	(void)event;
	return -1;
}

static struct ub_event_vmt event_vmt = {.add_bits = add_bits,
	.del_bits = del_bits,
	.set_fd = set_fd,
	.free = event_free,
	.add = add,
	.del = del,
	.add_timer = add_timer,
	.del_timer = del_timer,
	.add_signal = no_signal_add,
	.del_signal = no_signal_del};

static struct ub_event *new_event(struct ub_event_base *base, int fd, short bits,
	void (*callback)(int fd, short bits, void *arg), void *arg)
{
	struct event *event = mem_new(struct event);

	event->super.magic = UB_EVENT_MAGIC;
	event->super.vmt = &event_vmt;
	event->base = (struct base *)base;
	event->fd = fd;
	event->bits = bits;
	event->callback = callback;
	event->arg = arg;
	event->io = (struct loop_io){.ready = io_ready, .arg = event};
	event->timer = (struct loop_timer){.fired = timer_fired, .arg = event};
	return &event->super;
}

/* libunbound calls none of these when it is driven by ub_resolve_event(). */
static void base_free(struct ub_event_base *base)
{
	(void)base;
}

static int base_dispatch(struct ub_event_base *base)
{
	(void)base;
	return 0;
}

static int base_exit(struct ub_event_base *base, struct timeval *timeout)
{
	(void)base;
	(void)timeout;
	return 0;
}

static struct ub_event *new_signal(
	struct ub_event_base *base, int fd, void (*callback)(int fd, short bits, void *arg), void *arg)
{
	return new_event(base, fd, 0, callback, arg);
}

static struct ub_event_base_vmt base_vmt = {.free = base_free,
	.dispatch = base_dispatch,
	.loopexit = base_exit,
	.new_event = new_event,
	.new_signal = new_signal};

/* --- contexts ---------------------------------------------------------------------------------------- */

struct context {
	struct ub_ctx *ub;
	struct context *forgetful; /* beside this one; NULL: it is one */
	size_t in_flight;
	bool retired;
	struct context *next;
};

/* Ends when libunbound answers, though it was cancelled before; or with the upstream. */
struct upstream_query {
	struct upstream *upstream;
	struct upstream_query *prev, *next;
	struct context *context;
	int async_id;
	bool starting; /* inside ub_resolve_event() */
	bool answered; /* in the cache */
	bool refused;  /* by the first context */
	char *name;    /* once it has to wait */
	uint16_t type, class;
	uint64_t started_us;
	upstream_done done; /* NULL: cancelled */
	void *arg;
};

struct upstream {
	struct base base;
	struct context *contexts; /* those in use and those retired */
	struct context *current;  /* validates, if there is an anchor */
	struct upstream_query *queries;
	struct endpoint *forward; /* of the contexts in use */
	size_t forward_count;
	struct context *unchecked; /* for clients that set CD; the same where nothing validates */
	struct loop_timer reap;
};

/*
 * Each question to a forwarder has a socket of its own; libunbound queues those
 * for which there is none. Half of the descriptors stay for all else, and four
 * contexts share the others.
 */
static unsigned sockets_room(void)
{
	struct rlimit limit;
	rlim_t room = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 8 : MAX_SOCKETS;

	return room < MAX_SOCKETS ? (unsigned)room : MAX_SOCKETS;
}

static bool set_options(struct ub_ctx *ub, const struct upstream_config *config, bool validate, bool forgets)
{
	static const char *const options[][2] = {
		/* A forwarder on this host is as good as any. */
		{"do-not-query-localhost:", "no"},
		/* Reverse names of private addresses and RFC 8375's zone are the network's own business. */
		{"unblock-lan-zones:", "yes"}, {"insecure-lan-zones:", "yes"},
		{"local-zone:", "home.arpa. transparent"},
		{"use-syslog:", "no"}, {"logfile:", ""},
		{"num-queries-per-thread:", "4096"},
	};
	char *room = mem_printf("%u", sockets_room());
	bool good = true;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		ub_ctx_set_option(ub, options[i][0], options[i][1]);
	ub_ctx_set_option(ub, "outgoing-range:", room);
	free(room);
	if (forgets)
		ub_ctx_set_option(ub, "infra-host-ttl:", FORGETS_AFTER_S);
	if (!validate)
		good = ub_ctx_set_option(ub, "module-config:", "iterator") == 0;
	else
		good = ub_ctx_add_ta_file(ub, config->trust_anchor_file) == 0;
	for (size_t i = 0; good && i < config->forward_count; i++) {
		char addr[ADDR_TEXT];
		char *text = mem_printf("%s@%u", addr_format(&config->forward[i].addr, addr),
			config->forward[i].port);

		good = ub_ctx_set_fwd(ub, text) == 0;
		free(text);
	}
	return good;
}

static struct context *new_context(
	struct upstream *upstream, const struct upstream_config *config, bool validate, bool forgets)
{
	struct context *context = mem_new(struct context);

	context->ub = ub_ctx_create_ub_event(&upstream->base.super);
	if (!context->ub || !set_options(context->ub, config, validate, forgets)) {
		ub_ctx_delete(context->ub);
		free(context);
		return NULL;
	}
	LL_PREPEND(upstream->contexts, context);
	return context;
}

static void delete_context(struct upstream *upstream, struct context *context)
{
	LL_DELETE(upstream->contexts, context);
	ub_ctx_delete(context->ub);
	free(context);
}

/* Never from inside a callback of the context that goes. */
static void reap(struct loop_timer *timer)
{
	struct upstream *upstream = timer->arg;
	struct context *context, *next;

	LL_FOREACH_SAFE (upstream->contexts, context, next) {
		if (context->retired && context->in_flight == 0)
			delete_context(upstream, context);
	}
}

static void retire(struct upstream *upstream, struct context *context)
{
	if (!context)
		return;
	context->retired = true;
	/* Its queries are refused for good now: the other one may go before it. */
	if (context->forgetful)
		context->forgetful->retired = true;
	context->forgetful = NULL;
	loop_timer_start(upstream->base.loop, &upstream->reap, 0);
}

/* With the one that forgets beside it. */
static struct context *new_pair(
	struct upstream *upstream, const struct upstream_config *config, bool validate)
{
	struct context *forgetful = new_context(upstream, config, validate, true);
	struct context *context = forgetful ? new_context(upstream, config, validate, false) : NULL;

	if (context)
		context->forgetful = forgetful;
	else
		retire(upstream, forgetful);
	return context;
}

struct upstream *upstream_new(struct loop *loop)
{
	struct upstream *upstream = mem_new(struct upstream);

	upstream->base.super.magic = UB_EVENT_MAGIC;
	upstream->base.super.vmt = &base_vmt;
	upstream->base.loop = loop;
	upstream->reap = (struct loop_timer){.fired = reap, .arg = upstream};
	return upstream;
}

static void end_query(struct upstream_query *query)
{
	DL_DELETE(query->upstream->queries, query);
	free(query->name);
	free(query);
}

void upstream_free(struct upstream *upstream)
{
	struct upstream_query *query, *next;

	if (!upstream)
		return;
	/* libunbound answers what is under way when its context goes: nobody is to hear of it. */
	DL_FOREACH (upstream->queries, query)
		upstream_cancel(query);
	while (upstream->contexts)
		delete_context(upstream, upstream->contexts);
	DL_FOREACH_SAFE (upstream->queries, query, next)
		end_query(query);
	loop_timer_stop(upstream->base.loop, &upstream->reap);
	free(upstream->forward);
	free(upstream);
}

/* The cache is worth keeping; an anchor's file may say something new under the same name. */
static bool is_same(const struct upstream *upstream, const struct upstream_config *config)
{
	if (!upstream->current || config->trust_anchor_file ||
		upstream->current != upstream->unchecked ||
		upstream->forward_count != config->forward_count)
		return false;
	for (size_t i = 0; i < config->forward_count; i++) {
		if (!endpoint_equal(&upstream->forward[i], &config->forward[i]))
			return false;
	}
	return true;
}

int upstream_configure(struct upstream *upstream, const struct upstream_config *config)
{
	bool validates = config->trust_anchor_file != NULL;
	struct context *checked, *unchecked;

	if (is_same(upstream, config))
		return 0;
	/* libunbound would find out at the first query only. */
	if (validates && access(config->trust_anchor_file, R_OK) != 0)
		return -errno;
	checked = new_pair(upstream, config, validates);
	unchecked = checked && validates ? new_pair(upstream, config, false) : checked;
	if (!checked || !unchecked) {
		retire(upstream, checked);
		return -EINVAL;
	}
	if (upstream->unchecked != upstream->current)
		retire(upstream, upstream->unchecked);
	retire(upstream, upstream->current);
	upstream->current = checked;
	upstream->unchecked = unchecked;
	free(upstream->forward);
	upstream->forward = mem_dup(config->forward, config->forward_count * sizeof(*config->forward));
	upstream->forward_count = config->forward_count;
	return 0;
}

/* --- queries --------------------------------------------------------------------------------------------- */

static void leave_context(struct upstream_query *query)
{
	struct context *context = query->context;

	context->in_flight--;
	if (context->retired)
		retire(query->upstream, context);
}

/* Who has been cancelled, or has waited for the forwarders already, asks nobody else. */
static bool is_refusal(const struct upstream_query *query, int rcode, int sec)
{
	if (rcode == 0 || sec == 1 || !query->done || query->context->retired || !query->context->forgetful)
		return false;
	return query->starting ||
	       loop_now_us(query->upstream->base.loop) - query->started_us < REFUSAL_US;
}

static void ask(struct upstream_query *query, const char *name);

static void answered(void *arg, int rcode, void *packet, int len, int sec, char *why_bogus, int limited)
{
	struct upstream_query *query = arg;
	/*
	 * libunbound's own code is of its failures, and then the buffer still has what
	 * was in it before: another answer. Without failure the server's code stands
	 * in the message.
	 */
	bool valid = rcode == 0 && len >= HEADER_LEN;
	struct upstream_answer answer = {.rcode = valid ? ((uint8_t *)packet)[3] & 0xf : rcode,
		.secure = sec == 2,
		.bogus = sec == 1 ? (why_bogus ? why_bogus : "bogus") : NULL,
		.packet = valid ? packet : NULL,
		.len = valid ? (size_t)len : 0};
	bool starting = query->starting;

	(void)limited;
	leave_context(query);
	if (is_refusal(query, rcode, sec)) {
		query->context = query->context->forgetful;
		query->refused = true;
		if (!starting)
			ask(query, query->name);
		return;
	}
	query->answered = true;
	if (query->done)
		query->done(query->arg, &answer);
	if (!starting)
		end_query(query);
}

/* The query may be over when this returns. */
static void ask(struct upstream_query *query, const char *name)
{
	query->refused = false;
	query->context->in_flight++;
	if (ub_resolve_event(query->context->ub, name, query->type, query->class, query, answered,
		    &query->async_id) != 0)
		answered(query, 2, NULL, 0, 0, NULL, 0);
}

struct upstream_query *upstream_start(struct upstream *upstream, const char *name, uint16_t type,
	uint16_t class, bool checking_disabled, upstream_done done, void *arg)
{
	struct upstream_query *query = mem_new(struct upstream_query);

	query->upstream = upstream;
	query->context = checking_disabled ? upstream->unchecked : upstream->current;
	query->type = type;
	query->class = class;
	query->done = done;
	query->arg = arg;
	query->starting = true;
	DL_APPEND(upstream->queries, query);
	ask(query, name);
	if (query->refused)
		ask(query, name);
	query->starting = false;
	if (query->answered) {
		end_query(query);
		return NULL;
	}
	query->name = mem_strdup(name);
	query->started_us = loop_now_us(upstream->base.loop);
	return query;
}

void upstream_cancel(struct upstream_query *query)
{
	if (!query)
		return;
	/* libunbound would keep the callback's argument: the query stays until it is answered. */
	query->done = NULL;
}
