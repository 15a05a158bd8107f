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
	UT_hash_handle by_prefix;
	UT_hash_handle by_id;
};

struct table {
	struct entry *entries; /* one array, owned */
	size_t count;
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

static bool stronger(const struct table *table, const struct policy_line *a, const struct policy_line *b)
{
	uint32_t slot_a = policy_line_slot(a), slot_b = policy_line_slot(b);

	if (slot_a != slot_b)
		return slot_a < slot_b;
	return table->groups[a->conn] < table->groups[b->conn];
}

static void add(struct table *table, struct entry *entry)
{
	struct entry *head, **link;

	HASH_ADD(by_id, table->by_id, line.id, sizeof(entry->line.id), entry);
	lengths(table, &entry->line.remote.addr)[entry->line.remote.len] = true;
	HASH_FIND(by_prefix, table->by_prefix, &entry->line.remote, sizeof(struct prefix), head);
	if (!head || stronger(table, &entry->line, &head->line)) {
		if (head)
			HASH_DELETE(by_prefix, table->by_prefix, head);
		entry->next = head;
		HASH_ADD(by_prefix, table->by_prefix, line.remote, sizeof(struct prefix), entry);
		return;
	}
	for (link = &head->next; *link && !stronger(table, &entry->line, &(*link)->line);
		link = &(*link)->next)
		;
	entry->next = *link;
	*link = entry;
}

struct table *table_new(const struct policy_config *config)
{
	struct table *table = mem_new(struct table);

	table->entries = mem_zalloc(config->line_count * sizeof(*table->entries));
	table->groups = mem_zalloc(config->conn_count * sizeof(*table->groups));
	table->count = config->line_count;
	for (size_t i = 0; i < config->conn_count; i++)
		table->groups[i] = config->conns[i].group;
	for (size_t i = 0; i < config->line_count; i++) {
		table->entries[i].line = config->lines[i];
		add(table, &table->entries[i]);
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	HASH_CLEAR(by_prefix, table->by_prefix);
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
		struct entry *found;

		if (!has[walk->bits])
			continue;
		prefix = cut(&walk->remote, walk->bits);
		HASH_FIND(by_prefix, walk->table->by_prefix, &prefix, sizeof(prefix), found);
		entry = found;
	}
	if (!entry)
		return NULL;
	walk->next = entry->next;
	return &entry->line;
}
