/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and what they make of addresses (names.h). A host has one join for each
 * pattern that has led to it; the strictest of them counts.
 */
#include "policy/names.h"

#include "lib/hash.h"
#include "lib/mem.h"
#include "policy/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define NAME_MAX_TEXT 1024
/* Port lines of one host that are stricter than its name: more are not looked for. */
#define MAX_PORT_LINES 32

/* A pattern; its index is that of policy_config.names. */
struct pattern {
	const char *text; /* in the configuration */
	size_t index;
	UT_hash_handle hh;
};

struct join {
	char *pattern;	 /* owned: it outlives configurations */
	size_t conn;	 /* in the present one */
	uint64_t until_us;
};

struct host {
	struct addr addr;
	struct join *joins;
	size_t join_count;
	struct policy_line *lines; /* that its names make; empty where the prefixes are as strict */
	size_t line_count;
	uint32_t id; /* that its own line has or had; 0: none yet */
	UT_hash_handle hh;
};

struct names {
	const struct policy_config *config;
	struct pattern *patterns; /* one array */
	struct pattern *by_text;
	struct table *table; /* of the configuration's lines; NULL without names */
	struct host *hosts;
	size_t join_count;
	uint8_t *taken; /* a bit for each id of a line */
	struct addr *changes; /* hosts whose lines are others than at the last names_take_changes() */
	size_t change_count, change_room;
	bool changed; /* `merged` is to be made again */
	struct policy_config merged;
};

static enum policy_group group_of(const struct names *names, size_t conn)
{
	return names->config->conns[conn].group;
}

struct names *names_new(void)
{
	static const struct policy_config nothing;
	struct names *names = mem_new(struct names);

	names->config = &nothing;
	return names;
}

/* --- patterns --------------------------------------------------------------------------------- */

static const struct pattern *find_text(const struct names *names, const char *text)
{
	struct pattern *pattern;

	HASH_FIND_STR(names->by_text, text, pattern);
	return pattern;
}

/* DNS compares ASCII letters without case, whatever the locale (RFC 4343). */
static char lower_of(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The name itself, then "*.rest" for each rest of it: the closest pattern counts. */
static const struct pattern *find_pattern(const struct names *names, const char *qname)
{
	char text[NAME_MAX_TEXT + 2] = "*";
	char *lower = text + 1;
	const struct pattern *found;
	size_t len = strlen(qname);

	if (!names->by_text || len >= NAME_MAX_TEXT)
		return NULL;
	for (size_t i = 0; i <= len; i++)
		lower[i] = lower_of(qname[i]);
	found = find_text(names, lower);
	for (char *dot = strchr(lower, '.'); !found && dot; dot = strchr(dot + 1, '.')) {
		dot[-1] = '*';
		found = find_text(names, dot - 1);
	}
	return found;
}

bool names_match(const struct names *names, const char *qname, size_t *conn)
{
	const struct pattern *pattern = find_pattern(names, qname);

	if (pattern)
		*conn = names->config->names[pattern->index].conn;
	return pattern != NULL;
}

static void index_patterns(struct names *names)
{
	const struct policy_config *config = names->config;

	names->patterns = mem_zalloc((config->name_count + 1) * sizeof(*names->patterns));
	for (size_t i = 0; i < config->name_count; i++) {
		struct pattern *pattern = &names->patterns[i];

		*pattern = (struct pattern){.text = config->names[i].pattern, .index = i};
		if (!find_text(names, pattern->text))
			HASH_ADD_KEYPTR(hh, names->by_text, pattern->text, strlen(pattern->text), pattern);
	}
}

/* --- hosts ------------------------------------------------------------------------------------ */

static struct host *find_host(const struct names *names, const struct addr *addr)
{
	struct host *host;

	HASH_FIND(hh, names->hosts, addr, sizeof(*addr), host);
	return host;
}

static void del_join(struct names *names, struct host *host, size_t index)
{
	free(host->joins[index].pattern);
	host->joins[index] = host->joins[--host->join_count];
	names->join_count--;
}

/* The join of an address by a pattern, made if need be; NULL when it is there. */
static struct host *join(struct names *names, const struct addr *addr, const char *pattern, size_t conn,
	uint64_t until_us)
{
	struct host *host = find_host(names, addr);

	for (size_t i = 0; host && i < host->join_count; i++) {
		if (strcmp(host->joins[i].pattern, pattern) != 0)
			continue;
		if (until_us > host->joins[i].until_us)
			host->joins[i].until_us = until_us;
		return NULL;
	}
	if (!host) {
		host = mem_new(struct host);
		host->addr = *addr;
		HASH_ADD(hh, names->hosts, addr, sizeof(host->addr), host);
	}
	host->joins = mem_resize(host->joins, host->join_count + 1, sizeof(*host->joins));
	host->joins[host->join_count++] = (struct join){
		.pattern = mem_strdup(pattern), .conn = conn, .until_us = until_us};
	names->join_count++;
	return host;
}

/* The line without protocol that decides about an address by prefix (P1); NULL if none covers it. */
static const struct policy_line *find_prefix_line(const struct names *names, const struct addr *addr)
{
	struct table_walk walk = table_walk(names->table, addr);
	const struct policy_line *line = table_next(&walk);

	while (line && line->proto)
		line = table_next(&walk);
	return line;
}

/* --- lines of a host ----------------------------------------------------------------------------- */

static bool is_taken(const struct names *names, uint32_t id)
{
	return id == 0 || names->taken[id / 8] & 1u << id % 8;
}

static void set_taken(struct names *names, uint32_t id, bool taken)
{
	uint8_t bit = (uint8_t)(1u << id % 8);

	names->taken[id / 8] = (uint8_t)(taken ? names->taken[id / 8] | bit : names->taken[id / 8] & ~bit);
}

/* The id that was asked for, or the next free one. */
static uint32_t take_id(struct names *names, uint32_t id)
{
	id &= POLICY_LINE_MAX;
	while (is_taken(names, id))
		id = (id + 1) & POLICY_LINE_MAX;
	set_taken(names, id, true);
	return id;
}

static const struct join *strictest(const struct names *names, const struct host *host)
{
	const struct join *best = &host->joins[0];

	for (size_t i = 1; i < host->join_count; i++) {
		if (group_of(names, host->joins[i].conn) < group_of(names, best->conn))
			best = &host->joins[i];
	}
	return best;
}

static void add_line(struct host *host, const struct policy_line *line)
{
	host->lines = mem_resize(host->lines, host->line_count + 1, sizeof(*host->lines));
	host->lines[host->line_count++] = *line;
}

/* Port lines of wider prefixes that are stricter than the name: the host's own line must not hide them. */
static void add_port_lines(struct names *names, struct host *host, enum policy_group group)
{
	struct table_walk walk = table_walk(names->table, &host->addr);
	const struct policy_line *line = table_next(&walk);

	for (size_t i = 0; line && line->proto && i < MAX_PORT_LINES; i++, line = table_next(&walk)) {
		struct policy_line copy = *line;

		if (group_of(names, line->conn) >= group || prefix_is_host(&line->remote))
			continue;
		copy.remote = prefix_of_host(&host->addr);
		copy.id = take_id(names, addr_hash(&host->addr, line->id));
		add_line(host, &copy);
	}
}

static void make_lines(struct names *names, struct host *host)
{
	const struct join *join = strictest(names, host);
	enum policy_group group = group_of(names, join->conn);
	const struct policy_line *prefix = find_prefix_line(names, &host->addr);
	const struct pattern *pattern = find_text(names, join->pattern);
	struct policy_line line = {.remote = prefix_of_host(&host->addr), .conn = join->conn};

	if (!pattern || (prefix && group_of(names, prefix->conn) <= group))
		return;
	line.file = names->config->names[pattern->index].file;
	line.line = names->config->names[pattern->index].line;
	line.id = take_id(names, host->id ? host->id : addr_hash(&host->addr, 0));
	host->id = line.id;
	add_line(host, &line);
	add_port_lines(names, host, group);
}

static void drop_lines(struct names *names, struct host *host)
{
	for (size_t i = 0; i < host->line_count; i++)
		set_taken(names, host->lines[i].id, false);
	free(host->lines);
	host->lines = NULL;
	host->line_count = 0;
}

static void note_change(struct names *names, const struct addr *addr)
{
	if (names->change_count == names->change_room) {
		names->change_room = names->change_room ? names->change_room * 2 : 16;
		names->changes = mem_resize(names->changes, names->change_room, sizeof(*names->changes));
	}
	names->changes[names->change_count++] = *addr;
	names->changed = true;
}

/* A host's joins are others than before: so may be its lines. Without any it is freed. */
static void settle(struct names *names, struct host *host)
{
	note_change(names, &host->addr);
	drop_lines(names, host);
	if (host->join_count) {
		make_lines(names, host);
		return;
	}
	HASH_DEL(names->hosts, host);
	free(host->joins);
	free(host);
}

/* --- learning --------------------------------------------------------------------------------- */

/* The groups' files lie in one folder: its name says nothing, and there is little room. */
static const char *short_file(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	return slash ? slash + 1 : file ? file : "?";
}

static void name_both(const struct names *names, const struct policy_name *name,
	const struct policy_line *line, char text[NAMES_TEXT])
{
	char prefix[ADDR_TEXT];

	snprintf(text, NAMES_TEXT, "%.60s:%u %.60s is %s, but %.60s:%u %s is %s",
		short_file(name->file), name->line, name->pattern,
		policy_traits(group_of(names, name->conn))->name, short_file(line->file),
		line->line, prefix_format(&line->remote, prefix),
		policy_traits(group_of(names, line->conn))->name);
}

static bool has_join(const struct names *names, const struct addr *addr, const char *pattern)
{
	const struct host *host = find_host(names, addr);

	for (size_t i = 0; host && i < host->join_count; i++) {
		if (strcmp(host->joins[i].pattern, pattern) == 0)
			return true;
	}
	return false;
}

/* What a pattern makes of an address. *joins: it is remembered, also where the prefixes are stricter. */
static enum names_word judge_joining(const struct names *names, const struct policy_name *name,
	const struct addr *addr, bool *joins, char text[NAMES_TEXT])
{
	enum policy_group group = group_of(names, name->conn);
	const struct policy_line *line = find_prefix_line(names, addr);
	bool decides = !line || group < group_of(names, line->conn);

	if (line && group == POLICY_PRIVATE && group_of(names, line->conn) == POLICY_CLEAR) {
		name_both(names, name, line, text);
		return NAMES_CONFLICT;
	}
	if (group == POLICY_CLEAR)
		return NAMES_NOTHING;
	if (names->join_count >= NAMES_MAX && !find_host(names, addr)) {
		snprintf(text, NAMES_TEXT, "more than %u addresses by name", NAMES_MAX);
		return group == POLICY_PRIVATE && decides ? NAMES_FULL : NAMES_NOTHING;
	}
	*joins = true;
	if (!decides)
		return NAMES_NOTHING;
	return has_join(names, addr, name->pattern) ? NAMES_JOINED : NAMES_NEW;
}

/* names_judge(), and whether the address joins by *name. */
static enum names_word judge(const struct names *names, const char *qname, const struct addr *addr,
	const struct policy_name **name, bool *joins, char text[NAMES_TEXT])
{
	const struct pattern *pattern = find_pattern(names, qname);

	*joins = false;
	text[0] = '\0';
	if (!pattern)
		return NAMES_NOTHING;
	*name = &names->config->names[pattern->index];
	if (group_of(names, (*name)->conn) == POLICY_BLOCK) {
		snprintf(text, NAMES_TEXT, "the name is blocked by %.100s:%u %.80s",
			short_file((*name)->file), (*name)->line, (*name)->pattern);
		return NAMES_BLOCKED;
	}
	if (addr_is_special(addr))
		return NAMES_NOTHING;
	return judge_joining(names, *name, addr, joins, text);
}

enum names_word names_judge(const struct names *names, const char *qname, const struct addr *addr,
	const struct policy_name **name, char text[NAMES_TEXT])
{
	bool joins;

	return judge(names, qname, addr, name, &joins, text);
}

enum names_word names_learn(struct names *names, const char *qname, const struct addr *addr,
	uint64_t now_us, char text[NAMES_TEXT])
{
	const struct policy_name *name;
	bool joins;
	enum names_word word = judge(names, qname, addr, &name, &joins, text);

	if (joins) {
		bool is_private = group_of(names, name->conn) == POLICY_PRIVATE;
		uint64_t life_s = is_private ? NAMES_PRIVATE_S : NAMES_OTHER_S;

		struct host *host =
			join(names, addr, name->pattern, name->conn, now_us + life_s * SECOND_US);

		if (host)
			settle(names, host);
	}
	return word;
}

bool names_expire(struct names *names, uint64_t now_us,
	bool (*in_use)(void *arg, const struct addr *addr), void *arg)
{
	struct host *host, *next;
	bool changed = false;

	HASH_ITER (hh, names->hosts, host, next) {
		size_t before = host->join_count;

		for (size_t i = before; i-- > 0;) {
			if (host->joins[i].until_us <= now_us && !(in_use && in_use(arg, &host->addr)))
				del_join(names, host, i);
		}
		if (host->join_count == before)
			continue;
		settle(names, host);
		changed = true;
	}
	return changed;
}

void names_each_private(const struct names *names, names_each_fn each, void *arg)
{
	const struct host *host, *next;

	HASH_ITER (hh, names->hosts, host, next) {
		for (size_t i = 0; i < host->join_count; i++) {
			const struct join *join = &host->joins[i];

			if (group_of(names, join->conn) == POLICY_PRIVATE)
				each(arg, &host->addr, join->pattern, join->until_us);
		}
	}
}

bool names_restore(
	struct names *names, const struct addr *addr, const char *pattern, uint64_t until_us)
{
	const struct pattern *found = find_text(names, pattern);
	struct host *host;
	size_t conn;

	if (!found || names->join_count >= NAMES_MAX || addr_is_special(addr))
		return false;
	conn = names->config->names[found->index].conn;
	if (group_of(names, conn) == POLICY_BLOCK || group_of(names, conn) == POLICY_CLEAR)
		return false;
	host = join(names, addr, pattern, conn, until_us);
	if (host)
		settle(names, host);
	return true;
}

/* --- the lines that count ----------------------------------------------------------------------- */

/* A line of the configuration for this very host, which its name has made stricter. */
static bool is_replaced(const struct host *host, const struct policy_line *line)
{
	return host && host->line_count && !line->proto && prefix_is_host(&line->remote);
}

static bool is_line_replaced(const struct names *names, const struct policy_line *line)
{
	return prefix_is_host(&line->remote) && is_replaced(find_host(names, &line->remote.addr), line);
}

static void merge_lines(struct names *names)
{
	const struct policy_config *config = names->config;
	size_t count = config->line_count;
	struct policy_line *lines;
	struct host *host, *next;

	HASH_ITER (hh, names->hosts, host, next)
		count += host->line_count;
	lines = mem_zalloc(count * sizeof(*lines));
	count = 0;
	for (size_t i = 0; i < config->line_count; i++) {
		if (!is_line_replaced(names, &config->lines[i]))
			lines[count++] = config->lines[i];
	}
	HASH_ITER (hh, names->hosts, host, next) {
		for (size_t i = 0; i < host->line_count; i++)
			lines[count++] = host->lines[i];
	}
	free(names->merged.lines);
	names->merged = *config;
	names->merged.lines = lines;
	names->merged.line_count = count;
}

const struct policy_config *names_config(struct names *names)
{
	if (!names->hosts)
		return names->config;
	if (names->changed)
		merge_lines(names);
	names->changed = false;
	return &names->merged;
}

struct addr *names_take_changes(struct names *names, size_t *count)
{
	struct addr *changes = names->changes;

	*count = names->change_count;
	names->changes = NULL;
	names->change_count = names->change_room = 0;
	return changes;
}

struct policy_line *names_host_lines(const struct names *names, const struct addr *addr, size_t *count)
{
	const struct host *host = find_host(names, addr);
	struct policy_line *lines = NULL;
	const struct policy_line *line;
	struct table_walk walk;

	*count = 0;
	if (names->table) {
		walk = table_walk(names->table, addr);
		while ((line = table_next(&walk)) && prefix_is_host(&line->remote)) {
			if (is_replaced(host, line))
				continue;
			lines = mem_resize(lines, *count + 1, sizeof(*lines));
			lines[(*count)++] = *line;
		}
	}
	for (size_t i = 0; host && i < host->line_count; i++) {
		lines = mem_resize(lines, *count + 1, sizeof(*lines));
		lines[(*count)++] = host->lines[i];
	}
	return lines;
}

/* --- configuration ------------------------------------------------------------------------------- */

static void drop_index(struct names *names)
{
	HASH_CLEAR(hh, names->by_text);
	free(names->patterns);
	names->patterns = NULL;
	table_free(names->table);
	names->table = NULL;
}

/* The joins whose pattern still stands; the group that it has now counts. */
static void follow_patterns(struct names *names, struct host *host)
{
	for (size_t i = host->join_count; i-- > 0;) {
		const struct pattern *pattern = find_text(names, host->joins[i].pattern);

		if (pattern)
			host->joins[i].conn = names->config->names[pattern->index].conn;
		else
			del_join(names, host, i);
	}
}

static void take_config_ids(struct names *names)
{
	free(names->taken);
	names->taken = mem_zalloc(POLICY_LINE_MAX / 8 + 1);
	for (size_t i = 0; i < names->config->line_count; i++)
		set_taken(names, names->config->lines[i].id & POLICY_LINE_MAX, true);
}

void names_configure(struct names *names, const struct policy_config *config)
{
	struct host *host, *next;
	size_t count;

	drop_index(names);
	names->config = config;
	index_patterns(names);
	if (config->name_count)
		names->table = table_new(config);
	HASH_ITER (hh, names->hosts, host, next)
		drop_lines(names, host);
	take_config_ids(names);
	HASH_ITER (hh, names->hosts, host, next) {
		follow_patterns(names, host);
		settle(names, host);
	}
	/* Who configures takes the whole. */
	free(names_take_changes(names, &count));
	names->changed = true;
}

void names_free(struct names *names)
{
	struct host *host, *next;

	if (!names)
		return;
	HASH_ITER (hh, names->hosts, host, next) {
		while (host->join_count)
			del_join(names, host, host->join_count - 1);
		settle(names, host);
	}
	drop_index(names);
	free(names->taken);
	free(names->changes);
	free(names->merged.lines);
	free(names);
}
