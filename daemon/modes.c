/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request to the data plane, then exit (modes.h). No negotiation, no DNS:
 * these run before the network is up and after the daemon has crashed.
 */
#include "daemon/modes.h"

#include "daemon/addrs.h"
#include "daemon/control.h"
#include "daemon/joins.h"
#include "daemon/load.h"
#include "daemon/lines.h"
#include "daemon/udp.h"
#include "ike/ike.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "xfrm/dataplane.h"

#include <stdlib.h>
#include <string.h>

struct mode {
	struct loop *loop;
	struct dataplane *dp;
	int error;
};

static void request_done(void *arg, int error)
{
	struct mode *mode = arg;

	mode->error = error;
	loop_stop(mode->loop);
}

static void ignore_acquire(void *arg, const struct dp_acquire *acquire)
{
	(void)arg;
	(void)acquire;
}

static void ignore_expire(void *arg, const struct dp_expire *expire)
{
	(void)arg;
	(void)expire;
}

static void ignore_shunt(void *arg, const struct dp_flow *flow)
{
	(void)arg;
	(void)flow;
}

static void ignore_word(void *arg)
{
	(void)arg;
}

static void ignore_mapping(void *arg, const struct dp_mapping *mapping)
{
	(void)arg;
	(void)mapping;
}

static const struct dp_events no_events = {.acquire = ignore_acquire,
	.expire = ignore_expire,
	.mapping = ignore_mapping,
	.shunt_ended = ignore_shunt,
	.lost = ignore_word,
	.foreign = ignore_word};

static int request_lines(struct mode *mode, const struct conf *conf)
{
	int error = 0;
	struct addrs *addrs = addrs_open(mode->loop, &(struct addrs_events){0}, NULL, &error);
	struct names *names;

	if (!addrs)
		return error;
	/* What is private by name is closed too (P4). */
	names = names_new();
	names_configure(names, &conf->policy);
	joins_restore(names, conf->setup.state_dir, loop_now_us(mode->loop));
	lines_install(mode->dp, names_config(names), addrs, LINES_CLOSED, request_done, mode);
	loop_run(mode->loop);
	names_free(names);
	addrs_close(addrs);
	return mode->error;
}

static int request_flush(struct mode *mode, const struct conf *conf)
{
	(void)conf;
	dp_flush(mode->dp, request_done, mode);
	loop_run(mode->loop);
	return mode->error;
}

static void ignore_datagram(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)path;
	(void)data;
	(void)len;
}

/*
 * Peers hold tunnels that nobody here knows any more. They would go on sending into them, and what we send
 * in the clear they would drop: each is told, and asks for itself whether we live (K6, RFC 7296 1.5).
 */
static void tell_peers(struct mode *mode, const struct dp_peer *peers, size_t count)
{
	static const struct udp_events events = {
		.datagram = ignore_datagram, .unreachable = ignore_datagram};
	int error = 0;
	struct udp *udp = count ? udp_open(mode->loop, &events, NULL, &error) : NULL;

	for (size_t i = 0; udp && i < count; i++) {
		struct path path = {.local = {.addr = peers[i].local, .port = 500},
			.remote = {.addr = peers[i].remote, .port = 500}};
		uint8_t data[64];

		udp_send(udp, &path, data, ike_notice_build(data, sizeof(data), peers[i].in_spi));
	}
	udp_close(udp);
}

static int request_release(struct mode *mode, const struct conf *conf)
{
	int error = 0;
	struct addrs *addrs = addrs_open(mode->loop, &(struct addrs_events){0}, NULL, &error);
	const struct addr *own;
	struct dp_peer *peers;
	size_t count;

	(void)conf;
	if (!addrs)
		return error;
	own = addrs_own(addrs, &count);
	dp_release(mode->dp, own, count, request_done, mode);
	loop_run(mode->loop);
	peers = dp_take_peers(mode->dp, &count);
	tell_peers(mode, peers, count);
	free(peers);
	addrs_close(addrs);
	return mode->error;
}

/* Opens the data plane, makes the request, and waits for it. */
static int run(
	const char *what, int (*request)(struct mode *mode, const struct conf *conf), const struct conf *conf)
{
	struct mode mode = {.loop = loop_new()};

	mode.dp = dp_open(mode.loop, &no_events, NULL, &mode.error);
	if (mode.dp) {
		mode.error = request(&mode, conf);
		dp_close(mode.dp);
	}
	loop_free(mode.loop);
	if (mode.error)
		log_error("%s: %s", what, strerror(-mode.error));
	return mode.error ? 1 : 0;
}

int mode_closed(const char *config_path)
{
	char **texts, *degraded;
	size_t count;
	struct conf *conf = load_or_last(config_path, &texts, &count, &degraded);
	int status;

	load_free_texts(texts, count);
	free(degraded);

	if (!conf) {
		log_error("--closed: nothing was installed: the configuration does not load");
		return 1;
	}
	/* It has all of it, and more: its tunnels would go. */
	if (control_is_open(conf->setup.control_socket)) {
		log_info("--closed: a daemon runs, which keeps it closed");
		status = 0;
	} else {
		status = run("--closed", request_lines, conf);
	}
	conf_free(conf);
	return status;
}

/* These need no configuration, so they know of a daemon by the usual place of its socket. */
static int run_alone(const char *what, int (*request)(struct mode *mode, const struct conf *conf))
{
	if (!control_is_open(OE_RUNDIR "/control.sock"))
		return run(what, request, NULL);
	log_error("%s: nothing was done: a daemon runs here (oectl flush)", what);
	return 1;
}

int mode_release(void)
{
	return run_alone("--release", request_release);
}

int mode_flush(void)
{
	return run_alone("--flush", request_flush);
}
