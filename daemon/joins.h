/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names in group files have made of addresses (policy/names.h), brought
 * into the kernel and kept over restarts (P3, P4).
 *
 *   learn ──new──┬─▶ kept on disk (private) ─┬─▶ whoever waits goes on
 *                └─▶ lines applied ───────────┘
 *
 * A change is known by a generation: an answer that has brought one waits until
 * the data plane has acknowledged it and, restarts included, the disk has it.
 */
#ifndef DAEMON_JOINS_H
#define DAEMON_JOINS_H

#include "conf/conf.h"
#include "policy/names.h"
#include "xfrm/dataplane.h"

struct joins;
struct loop;

struct joins_hooks {
	/* Brings joins_take_changes() into policy and kernel. `done` as the data plane's. */
	void (*apply)(void *arg, dp_done done, void *done_arg);
	bool (*in_use)(void *arg, const struct addr *addr); /* a tunnel with it stands */
	bool (*is_off)(void *arg);			    /* all was opened on purpose (K5) */
};

/* Reads what an earlier run has kept under the state directory. `conf` lives until joins_configure(). */
struct joins *joins_new(struct loop *loop, const struct conf *conf);
void joins_free(struct joins *joins);
/* The hooks are used from now on. */
void joins_start(struct joins *joins, const struct joins_hooks *hooks, void *arg);
/* The disk is written from now on, by a thread with the capabilities that the caller has now. */
void joins_start_writer(struct joins *joins);
/* Who is told that all generations up to one are kept and in the kernel (or refused by it: -errno). */
void joins_listen(
	struct joins *joins, void (*installed)(void *arg, uint64_t generation, int error), void *arg);

void joins_configure(struct joins *joins, const struct conf *conf);
/* The lines that count: the configuration's and the hosts' by name. */
const struct policy_config *joins_config(struct joins *joins);
/* What has changed in them: as names_take_changes() and names_host_lines(). */
struct addr *joins_take_changes(struct joins *joins, size_t *count);
struct policy_line *joins_host_lines(const struct joins *joins, const struct addr *host, size_t *count);

/*
 * As names_learn(). *generation is what has to be waited for, 0 when nothing.
 */
enum names_word joins_learn(struct joins *joins, const char *qname, const struct addr *addr,
	uint64_t *generation, char text[NAMES_TEXT]);

/* What joins_learn() would say, without learning; as names_judge(). */
enum names_word joins_judge(struct joins *joins, const char *qname, const struct addr *addr,
	const struct policy_name **name, char text[NAMES_TEXT]);

/* What was kept, into names that are configured; for --closed. */
void joins_restore(struct names *names, const char *state_dir, uint64_t now_us);

#endif
