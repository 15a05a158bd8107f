/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forwarders over time (forwarders.h): rules A11 and A13. */
#include "daemon/forwarders.h"

#include "daemon/trigger.h"
#include "daemon/watch.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "resolver/resolver.h"

#include <stdlib.h>

#define AGAIN_US 3000000u
/* Of what libunbound refuses. */
#define REFUSAL_INTERVAL_US 60000000u

struct forwarders {
	struct loop *loop;
	struct resolver *resolver;
	struct trigger *trigger;
	struct watch *watch; /* NULL: dns-forward= is given */
	struct loop_timer again;
	struct log_limit refusals;
};

static void tell(const struct forwarders *forwarders)
{
	struct strbuf text = {0};
	size_t count;
	const struct endpoint *list = resolver_forwarders(forwarders->resolver, &count);
	char *all;

	if (count == 0) {
		log_warning("forwarders: none; lookups fail until a file names one (dns-forward in oe.conf(5))");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		char addr[ADDR_TEXT];

		strbuf_printf(&text, "%s%s", i ? " " : "", endpoint_format(&list[i], addr));
	}
	all = strbuf_take(&text);
	log_info("forwarders: %s", all);
	free(all);
}

/* Of a link its target's folder too: /etc/resolv.conf is often one. */
static void watch_files(struct forwarders *forwarders)
{
	const char *const *files = resolver_forward_files(forwarders->resolver);

	for (; *files; files++) {
		char *target = realpath(*files, NULL);

		watch_file(forwarders->watch, *files);
		if (target)
			watch_file(forwarders->watch, target);
		free(target);
	}
}

/* True when they are others. Watched first, then read: no change falls between the two. */
static bool choose(struct forwarders *forwarders)
{
	size_t count;
	char *why;
	bool is_other;

	watch_files(forwarders);
	is_other = resolver_choose_again(forwarders->resolver, &why);
	if (why && log_limit_pass(&forwarders->refusals, loop_now_us(forwarders->loop), 1,
			   REFUSAL_INTERVAL_US))
		log_warning("forwarders: %s", why);
	free(why);
	resolver_forwarders(forwarders->resolver, &count);
	if (count == 0)
		loop_timer_start(forwarders->loop, &forwarders->again, AGAIN_US);
	else
		loop_timer_stop(forwarders->loop, &forwarders->again);
	return is_other;
}

void forwarders_want_tunnels(struct forwarders *forwarders)
{
	const struct endpoint *list;
	size_t count;

	if (!forwarders)
		return;
	list = resolver_forwarders(forwarders->resolver, &count);
	for (size_t i = 0; i < count; i++)
		trigger_want(forwarders->trigger, &list[i].addr);
}

static void files_changed(void *arg)
{
	struct forwarders *forwarders = arg;

	if (!choose(forwarders))
		return;
	tell(forwarders);
	forwarders_want_tunnels(forwarders);
}

static void look_again(struct loop_timer *timer)
{
	files_changed(timer->arg);
}

void forwarders_look(struct forwarders *forwarders)
{
	if (!forwarders)
		return;
	if (forwarders->watch && choose(forwarders))
		tell(forwarders);
	forwarders_want_tunnels(forwarders);
}

void forwarders_configure(struct forwarders *forwarders, const struct resolver_config *config)
{
	loop_timer_stop(forwarders->loop, &forwarders->again);
	watch_free(forwarders->watch);
	forwarders->watch = NULL;
	if (config->forward_count == 0) {
		forwarders->watch = watch_new(forwarders->loop, files_changed, forwarders);
		choose(forwarders);
	}
	tell(forwarders);
}

struct forwarders *forwarders_new(
	struct loop *loop, struct resolver *resolver, struct trigger *trigger)
{
	struct forwarders *forwarders = mem_new(struct forwarders);

	*forwarders = (struct forwarders){.loop = loop, .resolver = resolver, .trigger = trigger};
	forwarders->again = (struct loop_timer){.fired = look_again, .arg = forwarders};
	return forwarders;
}

void forwarders_free(struct forwarders *forwarders)
{
	if (!forwarders)
		return;
	loop_timer_stop(forwarders->loop, &forwarders->again);
	watch_free(forwarders->watch);
	free(forwarders);
}
