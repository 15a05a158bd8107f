/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in the running daemon (joins.h). What is private is kept in STATEDIR/names,
 * a line each: ADDRESS UNTIL PATTERN, with UNTIL in seconds of CLOCK_REALTIME.
 *
 * The whole file is written anew by a thread of its own, one at a time, for a disk
 * may take long and the loop has others to answer. What is learned meanwhile is in
 * the next, so a slow disk gets few writes. Nothing relies on a join before it is on
 * disk: until then the address has not left in an answer. A disk that takes nothing
 * is a warning, and no reason to withhold answers.
 */
#include "daemon/joins.h"

#include "daemon/jobs.h"
#include "daemon/keep.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_US UINT64_C(1000000)
#define EXPIRE_US (60 * SECOND_US)
/* Written so much longer than it is true, so that not every answer writes: once in half an hour at most. */
#define KEEP_SLACK_S 3600u
#define KEEP_AGAIN_US (1800 * SECOND_US)

/* The file on its way to the disk; while it is, the writer's. */
struct writing {
	bool busy;
	char *dir;
	struct strbuf text;
	int error;
};

/* Owned by the daemon. */
struct joins {
	struct loop *loop;
	struct names *names;
	const struct conf *conf;
	struct joins_hooks hooks;
	void *arg;
	void (*installed)(void *arg, uint64_t generation, int error);
	void *installed_arg;
	uint64_t wanted, applied, kept, done; /* generations; what is both of two is done */
	uint64_t first_bad, last_bad; /* the kernel refused these, perhaps some between; 0: all is told */
	int error;		      /* of the last of them */
	bool refused;		      /* the kernel took the last generation not, or not whole */
	struct jobs *writer;
	struct writing writing;
	bool keep_next; /* as soon as this one is written */
	uint64_t kept_us;
	bool renewed; /* something was learned again since it was kept */
	struct loop_timer apply_timer, expire_timer;
};

/* A generation on its way into the kernel. */
struct request {
	struct joins *joins;
	uint64_t generation;
};

/* --- disk -------------------------------------------------------------------------------------- */

struct keeping {
	struct strbuf text;
	uint64_t now_us;
	int64_t real_s;
};

static void keep_one(void *arg, const struct addr *addr, const char *pattern, uint64_t until_us)
{
	struct keeping *keeping = arg;
	char text[ADDR_TEXT];

	if (until_us <= keeping->now_us)
		return;
	strbuf_printf(&keeping->text, "%s %" PRId64 " %s\n", addr_format(addr, text),
		keeping->real_s + (int64_t)((until_us - keeping->now_us) / SECOND_US) + KEEP_SLACK_S,
		pattern);
}

/* On the writer's thread. */
static void write_kept(void *data)
{
	struct writing *writing = data;

	writing->error = keep_write(writing->dir, "names", writing->text.text ? writing->text.text : "",
		writing->text.len, true);
}

static void clear_writing(struct writing *writing)
{
	strbuf_clear(&writing->text);
	free(writing->dir);
	*writing = (struct writing){0};
}

/* What is known now, or, while the writer is busy, then. */
static void keep(struct joins *joins)
{
	struct keeping keeping = {.now_us = loop_now_us(joins->loop), .real_s = time(NULL)};

	joins->keep_next = joins->writing.busy;
	if (joins->keep_next)
		return;
	names_each_private(joins->names, keep_one, &keeping);
	joins->kept_us = keeping.now_us;
	joins->renewed = false;
	joins->writing = (struct writing){.busy = true,
		.dir = mem_strdup(joins->conf->setup.state_dir),
		.text = keeping.text};
	jobs_submit(joins->writer, 0, joins->wanted, write_kept, &joins->writing);
}

/* A clock that was set meanwhile neither opens what is closed for long nor closes it for ever. */
static void restore_line(struct names *names, const char *line, int64_t real_s, uint64_t now_us)
{
	char text[64], pattern[256];
	int64_t until_s, left_s;
	struct addr addr;

	if (sscanf(line, "%63s %" SCNd64 " %255s", text, &until_s, pattern) != 3 ||
		!addr_parse(text, &addr) || until_s <= real_s)
		return;
	left_s = until_s - real_s;
	if (left_s > NAMES_PRIVATE_S + KEEP_SLACK_S)
		left_s = NAMES_PRIVATE_S + KEEP_SLACK_S;
	names_restore(names, &addr, pattern, now_us + (uint64_t)left_s * SECOND_US);
}

void joins_restore(struct names *names, const char *state_dir, uint64_t now_us)
{
	char *path = mem_printf("%s/names", state_dir);
	FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		restore_line(names, line, time(NULL), now_us);
	if (file)
		fclose(file);
	else if (errno != ENOENT)
		log_warning("cannot read %s: %s", path, strerror(errno));
	free(path);
}

/* --- the kernel -------------------------------------------------------------------------------- */

/* Whoever waits for what is both kept and applied. */
static void tell(struct joins *joins)
{
	uint64_t both = joins->applied < joins->kept ? joins->applied : joins->kept;
	int error = joins->first_bad && joins->first_bad <= both ? joins->error : 0;

	if (both <= joins->done)
		return;
	joins->done = both;
	if (joins->last_bad <= both)
		joins->first_bad = joins->last_bad = 0;
	if (joins->installed)
		joins->installed(joins->installed_arg, both, error);
}

static void applied(void *arg, int error)
{
	struct request *request = arg;
	struct joins *joins = request->joins;

	if (error) {
		log_error("cannot install the policies of a name: %s", strerror(-error));
		joins->error = error;
		joins->first_bad = joins->first_bad ? joins->first_bad : request->generation;
		joins->last_bad = request->generation;
	}
	joins->refused = error != 0;
	joins->applied = request->generation;
	free(request);
	tell(joins);
}

static void written(void *arg, uint64_t generation)
{
	struct joins *joins = arg;

	if (joins->writing.error)
		log_warning("cannot keep private names in %s/names: %s; a restart forgets them",
			joins->writing.dir, strerror(-joins->writing.error));
	joins->kept = generation;
	clear_writing(&joins->writing);
	if (joins->keep_next)
		keep(joins);
	tell(joins);
}

/* All that one turn of the loop has brought, together. */
static void apply(struct loop_timer *timer)
{
	struct joins *joins = timer->arg;
	struct request *request = mem_new(struct request);

	*request = (struct request){.joins = joins, .generation = joins->wanted};
	keep(joins);
	joins->hooks.apply(joins->arg, applied, request);
}

static uint64_t want_apply(struct joins *joins)
{
	if (!loop_timer_active(&joins->apply_timer)) {
		joins->wanted++;
		loop_timer_start(joins->loop, &joins->apply_timer, 0);
	}
	return joins->wanted;
}

static void expire(struct loop_timer *timer)
{
	struct joins *joins = timer->arg;
	uint64_t now_us = loop_now_us(joins->loop);

	if (names_expire(joins->names, now_us, joins->hooks.in_use, joins->arg))
		want_apply(joins);
	else if (joins->renewed && now_us - joins->kept_us >= KEEP_AGAIN_US)
		keep(joins);
	loop_timer_start(joins->loop, timer, EXPIRE_US);
}

enum names_word joins_learn(struct joins *joins, const char *qname, const struct addr *addr,
	uint64_t *generation, char text[NAMES_TEXT])
{
	enum names_word word;
	size_t conn;

	*generation = 0;
	text[0] = '\0';
	if (!names_match(joins->names, qname, &conn) || joins->hooks.is_off(joins->arg))
		return NAMES_NOTHING;
	word = names_learn(joins->names, qname, addr, loop_now_us(joins->loop), text);
	/* What the kernel has refused is tried again, and waited for, before anybody trusts it. */
	if (word == NAMES_NEW || (word == NAMES_JOINED && joins->refused))
		*generation = want_apply(joins);
	else if (word == NAMES_JOINED && joins->done < joins->wanted)
		*generation = joins->wanted;
	joins->renewed = joins->renewed || word == NAMES_JOINED;
	return word;
}

enum names_word joins_judge(struct joins *joins, const char *qname, const struct addr *addr,
	const struct policy_name **name, char text[NAMES_TEXT])
{
	*name = NULL;
	text[0] = '\0';
	if (joins->hooks.is_off(joins->arg))
		return NAMES_NOTHING;
	return names_judge(joins->names, qname, addr, name, text);
}

/* --- life -------------------------------------------------------------------------------------- */

struct joins *joins_new(struct loop *loop, const struct conf *conf)
{
	struct joins *joins = mem_new(struct joins);

	joins->loop = loop;
	joins->writer = jobs_new(loop, written, joins);
	joins->names = names_new();
	joins->apply_timer = (struct loop_timer){.fired = apply, .arg = joins};
	joins->expire_timer = (struct loop_timer){.fired = expire, .arg = joins};
	joins_configure(joins, conf);
	joins_restore(joins->names, conf->setup.state_dir, loop_now_us(loop));
	return joins;
}

void joins_start(struct joins *joins, const struct joins_hooks *hooks, void *arg)
{
	joins->hooks = *hooks;
	joins->arg = arg;
	loop_timer_start(joins->loop, &joins->expire_timer, EXPIRE_US);
}

void joins_start_writer(struct joins *joins)
{
	jobs_start(joins->writer, 1);
}

void joins_listen(
	struct joins *joins, void (*installed)(void *arg, uint64_t generation, int error), void *arg)
{
	joins->installed = installed;
	joins->installed_arg = arg;
}

void joins_configure(struct joins *joins, const struct conf *conf)
{
	joins->conf = conf;
	names_configure(joins->names, &conf->policy);
}

const struct policy_config *joins_config(struct joins *joins)
{
	return names_config(joins->names);
}

struct addr *joins_take_changes(struct joins *joins, size_t *count)
{
	return names_take_changes(joins->names, count);
}

struct policy_line *joins_host_lines(const struct joins *joins, const struct addr *host, size_t *count)
{
	return names_host_lines(joins->names, host, count);
}

void joins_free(struct joins *joins)
{
	if (!joins)
		return;
	loop_timer_stop(joins->loop, &joins->apply_timer);
	loop_timer_stop(joins->loop, &joins->expire_timer);
	jobs_free(joins->writer);
	clear_writing(&joins->writing);
	names_free(joins->names);
	free(joins);
}
