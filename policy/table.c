/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines by prefix (table.h). */
#include "policy/table.h"

#include "lib/hash.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BITS 128

/* A line in the table. Those of one prefix are a list, strongest first; its head is in `by_prefix`. */
struct entry {
	struct policy_line line;
	struct entry *next;
	bool alone; /* not in the array: it came later */
	UT_hash_handle by_prefix;
	UT_hash_handle by_id;
};

struct table {
	struct entry *entries; /* one array, owned */
	size_t count, alone_count;
	struct entry *by_prefix;
	struct entry *by_id;
	bool has[2][MAX_BITS + 1]; /* lengths that occur: IPv4, IPv6 */
	enum policy_group *groups; /* by index of the conn */
};

/* struct prefix is bytes only, so it is its own key. */
_Static_assert(sizeof(struct prefix) == 18, "struct prefix has no padding");

static bool *lengths(const struct table *table, const struct addr *addr)
{
	return (bool *)table->has[addr->family == ADDR_IPV4 ? 0 : 1];
}

/* The lower the stronger (P1): the slot, then the group. */
#define STRENGTHS (POLICY_SLOTS * POLICY_GROUPS)
static uint32_t strength(const struct table *table, const struct policy_line *line)
{
	return policy_line_slot(line) * POLICY_GROUPS + table->groups[line->conn];
}

static struct entry *find_head(const struct table *table, const struct prefix *prefix)
{
	struct entry *head;

	HASH_FIND(by_prefix, table->by_prefix, prefix, sizeof(*prefix), head);
	return head;
}

/* Before all lines of its prefix. */
static void add_first(struct table *table, struct entry *entry)
{
	struct entry *head = find_head(table, &entry->line.remote);

	if (head)
		HASH_DELETE(by_prefix, table->by_prefix, head);
	entry->next = head;
	HASH_ADD(by_prefix, table->by_prefix, line.remote, sizeof(struct prefix), entry);
}

static void add_id(struct table *table, struct entry *entry)
{
	HASH_ADD(by_id, table->by_id, line.id, sizeof(entry->line.id), entry);
	lengths(table, &entry->line.remote.addr)[entry->line.remote.len] = true;
	table->count++;
}

void table_add(struct table *table, const struct policy_line *line)
{
	struct entry *entry = mem_new(struct entry), *head = find_head(table, &line->remote), **link;
	uint32_t own = strength(table, line);

	entry->line = *line;
	entry->alone = true;
	table->alone_count++;
	add_id(table, entry);
	if (!head || own < strength(table, &head->line)) {
		add_first(table, entry);
		return;
	}
	for (link = &head->next; *link && own >= strength(table, &(*link)->line); link = &(*link)->next)
		;
	entry->next = *link;
	*link = entry;
}

void table_del(struct table *table, uint32_t id)
{
	struct entry *entry, *head, **link;

	HASH_FIND(by_id, table->by_id, &id, sizeof(id), entry);
	if (!entry)
		return;
	HASH_DELETE(by_id, table->by_id, entry);
	table->count--;
	head = find_head(table, &entry->line.remote);
	if (head == entry) {
		HASH_DELETE(by_prefix, table->by_prefix, entry);
		if (entry->next)
			HASH_ADD(by_prefix, table->by_prefix, line.remote, sizeof(struct prefix), entry->next);
	} else {
		for (link = &head->next; *link != entry; link = &(*link)->next)
			;
		*link = entry->next;
	}
	if (entry->alone) {
		table->alone_count--;
		free(entry);
	}
}

/*
 * Indexes of lines, strongest first, those of the same strength in the order of
 * the configuration: sorted by counting, for a prefix may have thousands of
 * lines with ports.
 */
static size_t *sort_lines(const struct table *table, const struct policy_config *config)
{
	size_t *sorted = mem_zalloc(config->line_count * sizeof(*sorted));
	size_t *places = mem_zalloc((STRENGTHS + 1) * sizeof(*places));

	for (size_t i = 0; i < config->line_count; i++)
		places[strength(table, &config->lines[i]) + 1]++;
	for (size_t i = 1; i <= STRENGTHS; i++)
		places[i] += places[i - 1];
	for (size_t i = 0; i < config->line_count; i++)
		sorted[places[strength(table, &config->lines[i])]++] = i;
	free(places);
	return sorted;
}

struct table *table_new(const struct policy_config *config)
{
	struct table *table = mem_new(struct table);
	size_t *sorted;

	table->entries = mem_zalloc(config->line_count * sizeof(*table->entries));
	table->groups = mem_zalloc(config->conn_count * sizeof(*table->groups));
	for (size_t i = 0; i < config->conn_count; i++)
		table->groups[i] = config->conns[i].group;
	sorted = sort_lines(table, config);
	for (size_t i = config->line_count; i-- > 0;) {
		struct entry *entry = &table->entries[sorted[i]];

		entry->line = config->lines[sorted[i]];
		add_id(table, entry);
		add_first(table, entry);
	}
	free(sorted);
	return table;
}

static void free_alone(struct table *table)
{
	struct entry *entry, *next;

	HASH_ITER (by_id, table->by_id, entry, next) {
		if (!entry->alone)
			continue;
		HASH_DELETE(by_id, table->by_id, entry);
		free(entry);
	}
}

void table_free(struct table *table)
{
	if (!table)
		return;
	HASH_CLEAR(by_prefix, table->by_prefix);
	if (table->alone_count)
		free_alone(table);
	HASH_CLEAR(by_id, table->by_id);
	free(table->entries);
	free(table->groups);
	free(table);
}

size_t table_count(const struct table *table)
{
	return table->count;
}

const struct policy_line *table_get(const struct table *table, uint32_t id)
{
	struct entry *entry;

	HASH_FIND(by_id, table->by_id, &id, sizeof(id), entry);
	return entry ? &entry->line : NULL;
}

struct table_walk table_walk(const struct table *table, const struct addr *remote)
{
	return (struct table_walk){
		.table = table, .remote = *remote, .bits = addr_bits(remote), .next = NULL};
}

static struct prefix cut(const struct addr *addr, int bits)
{
	struct prefix prefix = {.addr = {.family = addr->family}, .len = (uint8_t)bits};
	int whole = bits / 8;

	memcpy(prefix.addr.bytes, addr->bytes, (size_t)whole);
	if (bits % 8)
		prefix.addr.bytes[whole] =
			(uint8_t)(addr->bytes[whole] & (0xff << (8 - bits % 8)));
	return prefix;
}

const struct policy_line *table_next(struct table_walk *walk)
{
	const bool *has = lengths(walk->table, &walk->remote);
	const struct entry *entry = walk->next;

	for (; !entry && walk->bits >= 0; walk->bits--) {
		struct prefix prefix;

		if (!has[walk->bits])
			continue;
		prefix = cut(&walk->remote, walk->bits);
		entry = find_head(walk->table, &prefix);
	}
	if (!entry)
		return NULL;
	walk->next = entry->next;
	return &entry->line;
}
