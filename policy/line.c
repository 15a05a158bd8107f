/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Precedence (P1) and duplicates (P2) of lines (line.h). */
#include "policy/line.h"

#include "lib/mem.h"

#include <stdlib.h>

#define RANKS 5u

/* P1: both ports, remote port, local port, protocol, none. */
static uint32_t rank(const struct policy_line *line)
{
	if (line->local_port && line->remote_port)
		return 0;
	if (line->remote_port)
		return 1;
	if (line->local_port)
		return 2;
	return line->proto ? 3 : 4;
}

uint32_t policy_line_slot(const struct policy_line *line)
{
	uint32_t missing_bits = (uint32_t)addr_bits(&line->remote.addr) - line->remote.len;

	return missing_bits * RANKS + rank(line);
}

static int compare_number(unsigned a, unsigned b)
{
	return a < b ? -1 : a > b;
}

/* Equal when both lines cover the same packets. */
static int compare_meaning(const struct policy_line *a, const struct policy_line *b)
{
	int order = addr_compare(&a->remote.addr, &b->remote.addr);

	if (!order)
		order = compare_number(a->remote.len, b->remote.len);
	if (!order)
		order = compare_number(a->proto, b->proto);
	if (!order)
		order = compare_number(a->local_port, b->local_port);
	return order ? order : compare_number(a->remote_port, b->remote_port);
}

bool policy_line_same(const struct policy_line *a, const struct policy_line *b)
{
	return compare_meaning(a, b) == 0;
}

/* Equal lines stay in the order of the files: pointers into one array. */
static int compare(const void *left, const void *right)
{
	const struct policy_line *a = *(const struct policy_line *const *)left;
	const struct policy_line *b = *(const struct policy_line *const *)right;
	int order = compare_meaning(a, b);

	return order ? order : (a < b ? -1 : a > b);
}

bool policy_check_duplicates(const struct policy_config *config, policy_duplicate found, void *arg)
{
	const struct policy_line **sorted =
		mem_zalloc(config->line_count * sizeof(struct policy_line *));
	bool good = true;

	for (size_t i = 0; i < config->line_count; i++)
		sorted[i] = &config->lines[i];
	qsort(sorted, config->line_count, sizeof(struct policy_line *), compare);
	for (size_t i = 1; i < config->line_count; i++) {
		const struct policy_line *first = sorted[i - 1], *second = sorted[i];
		bool same_group = first->conn == second->conn;

		if (compare_meaning(first, second) != 0)
			continue;
		found(arg, first, second, same_group);
		good = good && same_group;
	}
	free(sorted);
	return good;
}
