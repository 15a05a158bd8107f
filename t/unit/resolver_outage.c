/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A forwarder that is silent for a while: once it speaks again, lookups are
 * answered. libunbound gives it up when its time-out has doubled to 12 s, so
 * the while is longer than that.
 */
#include "lib/loop.h"
#include "resolver/upstream.h"
#include "t/tap.h"
#include "t/unit/resolver_server.h"

static const struct served awake[] = {{.name = "*.example", .addrs = "192.0.2.1"}, {0}};
static const struct served asleep[] = {{.name = "*.example", .silent = true}, {0}};

#define WARM 5u
#define OUTAGE_S 16u

static struct loop *loop;
static struct upstream *upstream;

struct lookup {
	bool ended;
	int rcode;
};

static void done(void *arg, const struct upstream_answer *answer)
{
	struct lookup *lookup = arg;

	lookup->ended = true;
	lookup->rcode = answer->rcode;
	loop_stop(loop);
}

static void too_late(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

static bool await(const struct lookup *lookup, unsigned seconds)
{
	struct loop_timer limit = {.fired = too_late};

	loop_timer_start(loop, &limit, seconds * 1000000u);
	while (!lookup->ended && loop_timer_active(&limit))
		loop_run(loop);
	loop_timer_stop(loop, &limit);
	return lookup->ended;
}

static void start(unsigned number, const char *word, struct lookup *lookup)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%u.example", word, number);
	upstream_start(upstream, name, 1, 1, false, done, lookup);
}

int main(void)
{
	struct server server;
	struct upstream_config config = {.forward = &server.endpoint, .forward_count = 1};
	struct lookup before[WARM] = {0}, lost[OUTAGE_S] = {0}, after = {0}, again = {0};
	unsigned answered = 0;

	if (!server_start(&server, awake))
		return 1;
	loop = loop_new();
	upstream = upstream_new(loop);
	upstream_configure(upstream, &config);
	/* So many that its round trip is known well. */
	for (unsigned i = 0; i < WARM; i++) {
		start(i, "before", &before[i]);
		answered += await(&before[i], 5) && before[i].rcode == 0;
	}
	is_int(answered, WARM, "a forwarder that answers");
	atomic_store(&server.names, asleep);
	for (unsigned i = 0; i < OUTAGE_S; i++) {
		start(i, "lost", &lost[i]);
		await(&(struct lookup){.ended = false}, 1);
	}
	atomic_store(&server.names, awake);
	start(0, "after", &after);
	ok(await(&after, 5) && after.rcode == 0, "when it speaks again, the next lookup is answered: rcode %d",
		after.rcode);
	start(0, "again", &again);
	ok(await(&again, 5) && again.rcode == 0, "and the one after that");
	upstream_free(upstream);
	server_stop(&server);
	loop_free(loop);
	return tap_done();
}
