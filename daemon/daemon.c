/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start, run, reload, stop (daemon.h).
 *
 * Start: configuration, log, loop, addresses, IKE sockets, data plane,
 * engines, resolver, control socket; then privileges go, the workers
 * start, the lines are installed, and when the kernel has them systemd is told
 * that we are ready.
 * Stop: no new queries, DELETE to the peers, the data plane lets go of what
 * is not closed (K5), out.
 */
#include "daemon/daemon.h"

#include "daemon/addrs.h"
#include "daemon/control.h"
#include "daemon/debug.h"
#include "daemon/foreign.h"
#include "daemon/forwarders.h"
#include "daemon/gate.h"
#include "daemon/joins.h"
#include "daemon/keylog.h"
#include "daemon/load.h"
#include "daemon/privileges.h"
#include "daemon/resume.h"
#include "daemon/starts.h"
#include "daemon/trace.h"
#include "daemon/trigger.h"
#include "daemon/udp.h"
#include "daemon/watch.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define REMEMBERED_LOOKUPS 256
#define DESCRIPTORS 32768u

/* --- the resolver's observer ------------------------------------------------------- */

static void take_stage(
	void *arg, uint64_t query, const char *qname, const struct resolver_event *event)
{
	struct daemon *daemon = arg;
	char text[256];

	trace_query(daemon->trace, query, qname, loop_now_us(daemon->loop), event);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug("query %llu: %s: %s", (unsigned long long)query, qname,
			resolver_event_text(event, text, sizeof(text)));
}

static const struct resolver_observer observer = {.stage = take_stage};

/* --- start ----------------------------------------------------------------------------- */

static void addresses_changed(void *arg)
{
	struct daemon *daemon = arg;

	log_info("our addresses have changed");
	trigger_addresses_changed(daemon->trigger);
	forwarders_look(daemon->forwarders);
}

static void routes_changed(void *arg)
{
	struct daemon *daemon = arg;

	log_debug("our routes have changed");
	trigger_routes_changed(daemon->trigger);
	forwarders_look(daemon->forwarders);
}

static void take_datagram(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct daemon *daemon = arg;

	trigger_datagram(daemon->trigger, path, data, len);
}

static void take_unreachable(void *arg, const struct path *path, const uint8_t *quoted, size_t len)
{
	struct daemon *daemon = arg;

	trigger_unreachable(daemon->trigger, path, quoted, len);
}

static void take_acquire(void *arg, const struct dp_acquire *acquire)
{
	struct daemon *daemon = arg;

	trigger_acquire(daemon->trigger, acquire);
}

static void take_expire(void *arg, const struct dp_expire *expire)
{
	struct daemon *daemon = arg;

	trigger_expire(daemon->trigger, expire);
}

static void take_mapping(void *arg, const struct dp_mapping *mapping)
{
	struct daemon *daemon = arg;

	trigger_mapping(daemon->trigger, mapping);
}

/* policy has a timer of its own for the moment before; the kernel's is for our death, and for clocks that differ. */
static void take_shunt_ended(void *arg, const struct dp_flow *flow)
{
	struct daemon *daemon = arg;
	char remote[ADDR_TEXT];

	log_debug("peer %s: shunt ended in the kernel", addr_format(&flow->remote, remote));
	trigger_shunt_ended(daemon->trigger, flow);
}

static void take_lost(void *arg)
{
	(void)arg;
	log_warning("the kernel's events overran us; looked again");
}

static void take_foreign(void *arg)
{
	struct daemon *daemon = arg;

	foreign_changed(daemon->foreign);
}

static int open_data_plane(struct daemon *daemon)
{
	static const struct addrs_events addrs_events = {
		.addresses = addresses_changed, .routes = routes_changed};
	static const struct udp_events udp_events = {
		.datagram = take_datagram, .unreachable = take_unreachable};
	static const struct dp_events dp_events = {.acquire = take_acquire,
		.expire = take_expire,
		.mapping = take_mapping,
		.shunt_ended = take_shunt_ended,
		.lost = take_lost,
		.foreign = take_foreign};
	int error = 0;

	daemon->addrs = addrs_open(daemon->loop, &addrs_events, daemon, &error);
	if (daemon->addrs)
		daemon->udp = udp_open(daemon->loop, &udp_events, daemon, &error);
	if (daemon->udp)
		daemon->dp = dp_open(daemon->loop, &dp_events, daemon, &error);
	if (daemon->dp)
		daemon->foreign = foreign_new(daemon->loop, daemon->dp);
	return daemon->dp ? 0 : error;
}

/* The kernel has the lines: a forwarder in a group gets its tunnel (A13), and we are ready. */
static void lines_ready(void *arg, int error)
{
	struct daemon *daemon = arg;
	struct dp_peer *peers;
	size_t count;

	if (error)
		log_error("cannot install all policies: %s", strerror(-error));
	foreign_look(daemon->foreign);
	forwarders_want_tunnels(daemon->forwarders);
	if (!daemon->degraded)
		load_keep(daemon->conf);
	log_info("ready: %zu lines, %zu listeners", daemon->conf->policy.line_count,
		daemon->conf->resolver.listen_count);
	sd_notify(0, "READY=1");
	peers = dp_take_peers(daemon->dp, &count);
	resume_begin(daemon->resume, peers, count);
}

/* A11. `status` looks again by itself. */
static void warn_of_bypasses(const struct daemon *daemon)
{
	char **texts;
	size_t count = resolver_bypasses(daemon->resolver, &texts);

	for (size_t i = 0; i < count; i++)
		log_warning("%s", texts[i]);
	load_free_texts(texts, count);
}

static int start_resolver(struct daemon *daemon)
{
	char *why = NULL;
	int error;

	daemon->resolver =
		resolver_new(daemon->loop, &gate_ops, daemon->gate, &observer, daemon);
	resolver_set_debug(daemon->resolver, &debug_texts, daemon);
	error = resolver_configure(daemon->resolver, &daemon->conf->resolver, &why);
	if (error)
		log_error("resolver: %s", why ? why : strerror(-error));
	else if (why)
		log_warning("resolver: %s", why);
	free(why);
	if (!error)
		warn_of_bypasses(daemon);
	return error;
}

static void apply_joins(void *arg, dp_done done, void *done_arg)
{
	trigger_lines_changed(arg, done, done_arg);
}

static void look_for_tunnel(void *arg, const struct policy_flow *flow)
{
	bool *found = arg;

	*found = *found || flow->state == POLICY_TUNNELLED;
}

static bool has_tunnel(void *arg, const struct addr *addr)
{
	bool found = false;

	policy_each_flow_of(trigger_policy(arg), addr, look_for_tunnel, &found);
	return found;
}

static bool is_flushed(void *arg)
{
	return trigger_flushed(arg);
}

static const struct joins_hooks joins_hooks = {
	.apply = apply_joins, .in_use = has_tunnel, .is_off = is_flushed};

static int start_parts(struct daemon *daemon)
{
	struct trigger_parts parts;
	int error = open_data_plane(daemon);

	if (error) {
		log_error("cannot open the data plane: %s", strerror(-error));
		return error;
	}
	daemon->trace = trace_new(REMEMBERED_LOOKUPS);
	daemon->keylog = keylog_new();
	daemon->starts = starts_new();
	keylog_set_file(daemon->keylog, daemon->conf->setup.key_log);
	daemon->joins = joins_new(daemon->loop, daemon->conf);
	parts = (struct trigger_parts){.loop = daemon->loop,
		.dp = daemon->dp,
		.udp = daemon->udp,
		.addrs = daemon->addrs,
		.joins = daemon->joins,
		.trace = daemon->trace,
		.keylog = daemon->keylog,
		.starts = daemon->starts};
	daemon->trigger = trigger_new(&parts, daemon->conf);
	daemon->resume = resume_new(daemon->loop, daemon->trigger, daemon->starts);
	joins_start(daemon->joins, &joins_hooks, daemon->trigger);
	daemon->gate = gate_new(daemon->loop, trigger_policy(daemon->trigger), daemon->joins,
		daemon->addrs, daemon->trace, daemon->starts, trigger_verify(daemon->trigger));
	error = start_resolver(daemon);
	if (!error)
		daemon->control = control_open(daemon, daemon->conf->setup.control_socket, &error);
	return error;
}

/* --- reload ------------------------------------------------------------------------------- */

static void adopt_warnings(struct daemon *daemon, char **texts, size_t count)
{
	load_free_texts(daemon->warnings, daemon->warning_count);
	daemon->warnings = texts;
	daemon->warning_count = count;
}

static void adopt(struct daemon *daemon, struct conf *conf, char **texts, size_t count)
{
	daemon->conf = conf;
	daemon->loaded_at = time(NULL);
	adopt_warnings(daemon, texts, count);
	log_set_level(conf->setup.log_debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (log_open(conf->setup.log_file) != 0)
		log_error("cannot open %s", conf->setup.log_file);
	free(daemon->degraded);
	daemon->degraded = NULL;
}

static void reload_done(void *arg, int error)
{
	struct daemon *daemon = arg;

	if (error)
		log_error("reload: cannot install all policies: %s", strerror(-error));
	foreign_look(daemon->foreign);
	forwarders_want_tunnels(daemon->forwarders);
	sd_notify(0, "READY=1");
}

static char *join_texts(char **texts, size_t count)
{
	struct strbuf all = {0};

	for (size_t i = 0; i < count; i++)
		strbuf_printf(&all, "%s%s", i ? "\n" : "", texts[i]);
	return strbuf_take(&all);
}

/* What failed stays as it was, and `status` says so until a load succeeds (C2). */
static char *stay(struct daemon *daemon, char *why)
{
	log_error("reload failed; the running configuration stays");
	free(daemon->degraded);
	daemon->degraded = mem_printf("the last reload failed: %s", why);
	return why;
}

char *daemon_reload(struct daemon *daemon)
{
	char **texts, *why = NULL;
	size_t count;
	struct conf *old = daemon->conf, *conf;

	log_info("reloading %s", daemon->config_path);
	conf = load_configuration(daemon->config_path, &texts, &count);
	if (!conf) {
		why = join_texts(texts, count);
		load_free_texts(texts, count);
		return stay(daemon, why);
	}
	if (resolver_configure(daemon->resolver, &conf->resolver, &why) != 0) {
		load_free_texts(texts, count);
		conf_free(conf);
		return stay(daemon, why ? why : mem_strdup("the resolver refused"));
	}
	free(why);
	conf_keep_numbers(conf, old);
	warn_of_bypasses(daemon);
	sd_notify(0, "RELOADING=1");
	adopt(daemon, conf, texts, count);
	load_keep(conf);
	keylog_set_file(daemon->keylog, conf->setup.key_log);
	watch_configure(daemon->watch, conf, daemon->config_path);
	forwarders_configure(daemon->forwarders, &conf->resolver);
	joins_configure(daemon->joins, conf);
	trigger_reconfigure(daemon->trigger, conf, reload_done, daemon);
	conf_free(old);
	return NULL;
}

static void hangup(struct loop_signal *signal, int number)
{
	(void)number;
	free(daemon_reload(signal->arg));
}

/* --- stop ------------------------------------------------------------------------------------ */

static void files_changed(void *arg)
{
	struct daemon *daemon = arg;

	if (!daemon->stopping)
		free(daemon_reload(daemon));
}

static void stopped(void *arg, int error)
{
	struct daemon *daemon = arg;

	if (error)
		log_error("stop: %s", strerror(-error));
	loop_stop(daemon->loop);
}

static void terminate(struct loop_signal *signal, int number)
{
	struct daemon *daemon = signal->arg;

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_info("stopping (%s)", strsignal(number));
	sd_notify(0, "STOPPING=1");
	control_close(daemon->control);
	daemon->control = NULL;
	forwarders_free(daemon->forwarders);
	daemon->forwarders = NULL;
	resolver_free(daemon->resolver);
	daemon->resolver = NULL;
	trigger_shutdown(daemon->trigger);
	dp_stop(daemon->dp, stopped, daemon);
}

static void start_signal(struct daemon *daemon, struct loop_signal *watcher,
	void (*caught)(struct loop_signal *signal, int number), int number)
{
	*watcher = (struct loop_signal){.caught = caught, .arg = daemon};
	loop_signal_start(daemon->loop, watcher, number);
}

static void free_parts(struct daemon *daemon)
{
	watch_free(daemon->watch);
	forwarders_free(daemon->forwarders);
	control_close(daemon->control);
	resolver_free(daemon->resolver);
	gate_free(daemon->gate);
	resume_free(daemon->resume);
	trigger_free(daemon->trigger);
	keylog_free(daemon->keylog);
	starts_free(daemon->starts);
	joins_free(daemon->joins);
	trace_free(daemon->trace);
	foreign_free(daemon->foreign);
	if (daemon->dp)
		dp_close(daemon->dp);
	udp_close(daemon->udp);
	addrs_close(daemon->addrs);
	loop_signal_stop(daemon->loop, &daemon->hangup);
	loop_signal_stop(daemon->loop, &daemon->terminate);
	loop_signal_stop(daemon->loop, &daemon->interrupt);
	loop_free(daemon->loop);
	load_free_texts(daemon->warnings, daemon->warning_count);
	free(daemon->degraded);
	conf_free(daemon->conf);
}

static int start(struct daemon *daemon)
{
	int error;

	start_signal(daemon, &daemon->hangup, hangup, SIGHUP);
	start_signal(daemon, &daemon->terminate, terminate, SIGTERM);
	start_signal(daemon, &daemon->interrupt, terminate, SIGINT);
	error = start_parts(daemon);
	if (!error)
		error = privileges_drop();
	if (error)
		return error;
	trigger_start_workers(daemon->trigger);
	joins_start_writer(daemon->joins);
	daemon->watch = watch_new(daemon->loop, files_changed, daemon);
	watch_configure(daemon->watch, daemon->conf, daemon->config_path);
	daemon->forwarders = forwarders_new(daemon->loop, daemon->resolver, daemon->trigger);
	forwarders_configure(daemon->forwarders, &daemon->conf->resolver);
	trigger_set_lines(daemon->trigger, lines_ready, daemon);
	return 0;
}

/* Questions to forwarders and connections take one each; the usual limit of 1024 is one for programs with select(). */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_run(const char *config_path)
{
	struct daemon daemon = {.config_path = config_path};
	char **texts;
	size_t count;
	char *degraded;
	struct conf *conf = load_or_last(config_path, &texts, &count, &degraded);
	int status = 1;

	if (!conf) {
		load_free_texts(texts, count);
		log_error("not started: %s does not load", config_path);
		return 1;
	}
	umask(027);
	raise_descriptors();
	signal(SIGPIPE, SIG_IGN);
	daemon.loop = loop_new();
	daemon.started_us = loop_now_us(daemon.loop);
	adopt(&daemon, conf, texts, count);
	daemon.degraded = degraded;
	if (start(&daemon) == 0) {
		loop_run(daemon.loop);
		status = daemon.exit_status;
		log_info("stopped");
	}
	free_parts(&daemon);
	return status;
}
