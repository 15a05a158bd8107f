/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's parts, in the order in which they start: what a later one uses,
 * an earlier one has made. They stop in the reverse order (daemon.c).
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "conf/conf.h"
#include "lib/loop.h"

struct addrs;
struct control;
struct dataplane;
struct foreign;
struct forwarders;
struct gate;
struct joins;
struct keylog;
struct resolver;
struct resume;
struct trace;
struct trigger;
struct udp;
struct watch;

struct daemon {
	const char *config_path;
	struct conf *conf;
	char *degraded; /* why the configuration in use is not the one on disk; NULL if it is */
	char **warnings; /* of the last load */
	size_t warning_count;
	int64_t loaded_at; /* CLOCK_REALTIME seconds */
	uint64_t started_us;
	bool stopping;
	int exit_status;

	struct loop *loop;
	struct addrs *addrs;
	struct udp *udp;
	struct dataplane *dp;
	struct foreign *foreign;
	struct trace *trace;
	struct keylog *keylog;
	struct starts *starts;
	struct joins *joins;
	struct trigger *trigger;
	struct resume *resume;
	struct gate *gate;
	struct resolver *resolver;
	struct control *control;
	struct watch *watch;
	struct forwarders *forwarders; /* NULL once we stop */
	struct loop_signal hangup, terminate, interrupt;
};

/* Runs the service until SIGTERM or SIGINT; the process's exit status. */
int daemon_run(const char *config_path);
/* Reads the configuration again; NULL or a text of what is wrong (free it). Nothing changes then. */
char *daemon_reload(struct daemon *daemon);

#endif
