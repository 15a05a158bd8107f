/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines, found by address: one hash table keyed by prefix, and for each
 * family the set of prefix lengths that occur. A lookup asks for each length
 * that occurs, longest first, so it costs at most 33 or 129 probes however
 * many lines there are.
 */
#ifndef POLICY_TABLE_H
#define POLICY_TABLE_H

#include "policy/line.h"

struct table;

/* Copies the lines (not the file names, which live as long as `config`). */
struct table *table_new(const struct policy_config *config);
void table_free(struct table *table);
/* Lines that come and go one by one: after those of their strength. An unknown id is no error. */
void table_add(struct table *table, const struct policy_line *line);
void table_del(struct table *table, uint32_t id);
size_t table_count(const struct table *table);
const struct policy_line *table_get(const struct table *table, uint32_t id);

/* A walk over the lines that cover an address, strongest first (P1). */
struct table_walk {
	const struct table *table;
	struct addr remote;
	int bits;		 /* prefix length to look at next, -1: done */
	const struct entry *next; /* private */
};

struct table_walk table_walk(const struct table *table, const struct addr *remote);
const struct policy_line *table_next(struct table_walk *walk);

#endif
