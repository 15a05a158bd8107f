/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lines would cost each packet in the kernel (xfrm/dataplane.h):
 * worth a warning, or refused. A configuration that is refused changes nothing,
 * so what is closed stays closed (C2).
 */
#include "conf/internal.h"

#include "lib/mem.h"
#include "xfrm/dataplane.h"

#include <stdlib.h>

#define MAX_BITS 128

/* Sorted by prefix: what encloses comes before what it holds. */
static int compare(const void *left, const void *right)
{
	const struct policy_line *a = *(const struct policy_line *const *)left;
	const struct policy_line *b = *(const struct policy_line *const *)right;
	int order = addr_compare(&a->remote.addr, &b->remote.addr);

	return order ? order : a->remote.len - b->remote.len;
}

/* Whether it is installed wherever it stands, or catches what others open (daemon/lines.c). */
static bool catches(const struct policy_config *policy, const struct policy_line *line)
{
	const struct policy_traits *traits = policy_traits(policy->conns[line->conn].group);

	return traits->traps || traits->drops || traits->accepts;
}

/* The end of the lines that have the prefix of the first; whether one of them catches. */
static size_t end_of_prefix(const struct policy_config *policy, const struct policy_line **sorted, size_t first,
	bool *caught)
{
	size_t end = first;

	*caught = false;
	for (; end < policy->line_count; end++) {
		if (!prefix_equal(&sorted[first]->remote, &sorted[end]->remote))
			break;
		*caught = *caught || catches(policy, sorted[end]);
	}
	return end;
}

/* Moves to the front what is installed, with what is clear only beside or within what is not; gives how many. */
static size_t pick_installed(const struct policy_config *policy, const struct policy_line **sorted)
{
	struct prefix around[MAX_BITS + 1];
	size_t depth = 0, count = 0, end;
	bool caught;

	for (size_t i = 0; i < policy->line_count; i = end) {
		struct prefix prefix = sorted[i]->remote;

		end = end_of_prefix(policy, sorted, i, &caught);
		while (depth && !prefix_contains(&around[depth - 1], &prefix.addr))
			depth--;
		if (caught)
			around[depth++] = prefix;
		for (size_t j = i; depth && j < end; j++)
			sorted[count++] = sorted[j];
	}
	return count;
}

static void judge_walk(struct conf_report *report, const struct policy_line *line, size_t walk)
{
	struct place place = {.file = line->file, .line = line->line};
	char prefix[ADDR_TEXT];

	prefix_format(&line->remote, prefix);
	if (walk > DP_WALK_MAX)
		report_error(report, place,
			"%s is one of %zu lines that the kernel would compare a packet with one by one; at most %u: "
			"give fewer ports of one prefix, and fewer prefixes shorter than /16 (IPv6: /48) or within each other",
			prefix, walk, DP_WALK_MAX);
	else if (walk > DP_WALK_WARN)
		report_warning(report, place,
			"%s is one of %zu lines that the kernel compares a packet with one by one: some %zu microseconds each",
			prefix, walk, walk * DP_WALK_NS / 1000);
}

static void judge_count(struct conf_report *report, const struct policy_line *line, size_t count)
{
	struct place place = {.file = line->file, .line = line->line};

	if (count > DP_LINES_MAX)
		report_error(report, place,
			"%zu lines would be in the kernel, of 4 KiB each; at most %u: give wider prefixes, and of what is open "
			"only the exceptions to them", count, DP_LINES_MAX);
}

void weigh_lines(struct conf_report *report, const struct policy_config *policy)
{
	const struct policy_line **sorted = mem_zalloc(policy->line_count * sizeof(struct policy_line *));
	struct prefix *remotes = mem_zalloc(policy->line_count * sizeof(*remotes));
	struct dp_weight weight;
	size_t count;

	for (size_t i = 0; i < policy->line_count; i++)
		sorted[i] = &policy->lines[i];
	if (policy->line_count)
		qsort(sorted, policy->line_count, sizeof(struct policy_line *), compare);
	count = pick_installed(policy, sorted);
	for (size_t i = 0; i < count; i++)
		remotes[i] = sorted[i]->remote;
	dp_weigh(remotes, count, &weight);
	if (count) {
		judge_walk(report, sorted[weight.at], weight.walk);
		judge_count(report, sorted[count - 1], count);
	}
	free(sorted);
	free(remotes);
}
