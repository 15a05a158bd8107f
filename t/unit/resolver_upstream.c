/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libunbound in our loop, against a server on loopback; and the clash of event
 * libraries: libev exports libevent's names, and libunbound must find libevent's.
 */
#include "lib/loop.h"
#include "lib/mem.h"
#include "resolver/upstream.h"
#include "t/tap.h"
#include "t/unit/resolver_server.h"

#include <dlfcn.h>
#include <sys/resource.h>

#define FEW_FILES 128

static const struct served names[] = {
	{.name = "www.peer.example", .addrs = "192.0.2.1 2001:db8::1"},
	{.name = "slow.example", .addrs = "192.0.2.2", .delay_ms = 200},
	{.name = "long.example", .many = 100, .truncated = true},
	{.name = "silent.example", .silent = true},
	{.name = "*.silent.example", .silent = true},
	{0},
};

static struct loop *loop;
static struct upstream *upstream;

struct result {
	unsigned calls;
	int rcode;
	bool has_packet;
	struct reply reply;
};

static void done(void *arg, const struct upstream_answer *answer)
{
	struct result *result = arg;

	result->calls++;
	result->rcode = answer->rcode;
	result->has_packet = answer->packet != NULL;
	if (answer->packet)
		result->reply = read_reply(answer->packet, answer->len);
	loop_stop(loop);
}

static void too_late(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

static void run_ms(unsigned ms)
{
	struct loop_timer limit = {.fired = too_late};

	loop_timer_start(loop, &limit, ms * 1000u);
	loop_run(loop);
	loop_timer_stop(loop, &limit);
}

static void test_binding(void)
{
	static const char *const symbols[] = {"event_base_new", "event_set", "event_add",
		"event_base_set", "event_base_loop"};
	bool right = true;

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *found = dlsym(RTLD_DEFAULT, symbols[i]);
		Dl_info info = {0};

		if (!found) {
			diag("%s: nowhere", symbols[i]);
			continue;
		}
		dladdr(found, &info);
		diag("%s: %s", symbols[i], info.dli_fname);
		right = right && info.dli_fname && strstr(info.dli_fname, "libevent");
	}
	ok(right, "libunbound's events are libevent's, not the imitation in libev");
}

static void test_lookups(struct server *server)
{
	struct result first = {0}, again = {0}, missing = {0};
	struct upstream_query *pending =
		upstream_start(upstream, "www.peer.example", 1, 1, false, done, &first);

	ok(pending && first.calls == 0, "not in the cache: the answer comes later");
	run_ms(5000);
	ok(first.calls == 1 && first.rcode == 0 && first.reply.good, "and comes once");
	is_str(reply_addr(&first.reply, 0), "192.0.2.1", "with its address");
	ok(!upstream_start(upstream, "www.peer.example", 1, 1, false, done, &again) &&
			again.calls == 1,
		"from the cache it comes at once");
	is_str(reply_addr(&again.reply, 0), "192.0.2.1", "and is the same");
	is_int(atomic_load(&server->asked), 1, "nobody was asked for it twice");
	if (upstream_start(upstream, "missing.example", 1, 1, false, done, &missing))
		run_ms(5000);
	ok(missing.calls == 1 && missing.rcode == 3, "a name that is not there");
}

static void test_truncated(void)
{
	struct result result = {0};

	upstream_start(upstream, "long.example", 1, 1, false, done, &result);
	while (!result.calls)
		run_ms(5000);
	ok(result.rcode == 0 && result.reply.good && result.reply.counts[ANSWER] == 100,
		"what the forwarder truncates is fetched over TCP");
}

static void test_cancel(void)
{
	struct result slow = {0};

	upstream_cancel(upstream_start(upstream, "slow.example", 1, 1, false, done, &slow));
	run_ms(500);
	is_int(slow.calls, 0, "a cancelled query says nothing");
	ok(!upstream_start(upstream, "slow.example", 1, 1, false, done, &slow) && slow.calls == 1,
		"though its answer is in the cache");
}

static void test_configure(struct server *server)
{
	static struct server other; /* serves to the end of the program */
	static const struct served elsewhere[] = {{.name = "www.peer.example", .addrs = "192.0.2.99"},
		{.name = "silent.example", .silent = true}, {0}};
	struct upstream_config config = {.forward = &server->endpoint, .forward_count = 1};
	struct result old = {0}, new = {0}, same = {0};

	is_int(upstream_configure(upstream, &config), 0, "the same configuration again");
	ok(!upstream_start(upstream, "www.peer.example", 1, 1, false, done, &same) && same.calls == 1,
		"keeps the cache");
	if (!server_start(&other, elsewhere))
		exit(1);
	upstream_start(upstream, "slow.example", 28, 1, false, done, &old);
	config.forward = &other.endpoint;
	is_int(upstream_configure(upstream, &config), 0, "another forwarder");
	if (upstream_start(upstream, "www.peer.example", 1, 1, false, done, &new))
		run_ms(5000);
	is_str(reply_addr(&new.reply, 0), "192.0.2.99", "is asked from now on");
	while (!old.calls)
		run_ms(5000);
	ok(old.calls == 1 && old.rcode == 0, "what was under way ends with the old one");
	config.trust_anchor_file = "/nonexistent/anchor";
	ok(upstream_configure(upstream, &config) < 0, "an anchor that is not there is refused");
	new = (struct result){0};
	ok(!upstream_start(upstream, "www.peer.example", 1, 1, false, done, &new) && new.calls == 1,
		"and nothing has changed");
}

/* Each question to a forwarder has a socket of its own. */
static void test_many(const struct server *server)
{
	struct upstream *crowded = upstream_new(loop);
	struct upstream_config config = {.forward = &server->endpoint, .forward_count = 1};
	struct result results[FEW_FILES * 2] = {0}, known = {0};
	struct rlimit before, few;
	int fd;

	getrlimit(RLIMIT_NOFILE, &before);
	few = (struct rlimit){.rlim_cur = FEW_FILES, .rlim_max = before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &few);
	upstream_configure(crowded, &config);
	while (!known.calls) {
		upstream_start(crowded, "www.peer.example", 1, 1, false, done, &known);
		run_ms(5000);
	}
	for (unsigned i = 0; i < ARRAY_LEN(results); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%u.silent.example", i);
		upstream_start(crowded, name, 1, 1, false, done, &results[i]);
		loop_step(loop, false);
	}
	fd = dup(0);
	ok(fd >= 0, "many questions leave descriptors to the others");
	close(fd);
	known.calls = 0;
	ok(!upstream_start(crowded, "www.peer.example", 1, 1, false, done, &known) && known.calls == 1,
		"and what is in the cache is answered");
	upstream_free(crowded);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
	struct server server;
	struct upstream_config config = {.forward = &server.endpoint, .forward_count = 1};
	struct result forgotten = {0};

	if (!server_start(&server, names))
		return 1;
	loop = loop_new();
	upstream = upstream_new(loop);
	is_int(upstream_configure(upstream, &config), 0, "a forwarder on loopback");
	test_lookups(&server);
	test_cancel();
	test_truncated();
	test_many(&server);
	test_configure(&server);
	test_binding();
	upstream_start(upstream, "silent.example", 1, 1, false, done, &forgotten);
	run_ms(50);
	upstream_free(upstream);
	is_int(forgotten.calls, 0, "what is under way at the end says nothing");
	server_stop(&server);
	loop_free(loop);
	return tap_done();
}
