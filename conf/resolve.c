/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parameters count for a section: its own (the last of equals), then
 * what it takes over by also= in the order given, then conn %default. Each
 * section gets this list once; a search in it finds the one that counts first.
 */
#include "conf/internal.h"

#include "lib/mem.h"

#include <string.h>

#define MAX_ALSO_DEPTH 16

static struct section *find_conn(struct source *source, const char *name)
{
	for (size_t i = 0; i < source->count; i++) {
		if (source->sections[i].name && strcmp(source->sections[i].name, name) == 0)
			return &source->sections[i];
	}
	return NULL;
}

/* Filling one section's list. */
struct walk {
	struct source *source;
	struct section *into;
	bool by_default; /* it is conn %default that is followed */
};

static void add_own(struct section *into, const struct section *from)
{
	into->all = mem_resize(
		into->all, into->all_count + from->count + 1, sizeof(const struct param *));
	for (size_t i = from->count; i > 0; i--)
		into->all[into->all_count++] = &from->params[i - 1];
}

static void take_over(const struct walk *walk, struct section *from, unsigned depth);

static void follow(const struct walk *walk, const struct section *from, const struct param *param,
	unsigned depth)
{
	struct section *other = find_conn(walk->source, param->value);
	struct conf_report *report = walk->source->report;

	/* Said once, at the conn whose own also= it is. */
	if (!other && walk->into == from)
		report_error(report, param->place, "also=%s: there is no such conn", param->value);
	else if (other == walk->into && !walk->by_default)
		report_error(report, param->place, "also=%s leads back to itself", param->value);
	else if (other && depth >= MAX_ALSO_DEPTH)
		report_error(
			report, param->place, "also= is nested more than %d deep", MAX_ALSO_DEPTH);
	else if (other && other->taken_by != walk->into)
		take_over(walk, other, depth + 1);
}

static void take_over(const struct walk *walk, struct section *from, unsigned depth)
{
	/* Taken once: two ways to the same conn say nothing new. */
	from->taken_by = walk->into;
	add_own(walk->into, from);
	for (size_t i = 0; i < from->count; i++) {
		if (strcmp(from->params[i].key, "also") == 0)
			follow(walk, from, &from->params[i], depth);
	}
}

void sections_resolve(struct source *source)
{
	struct section *defaults = find_conn(source, "%default");

	for (size_t i = 0; i < source->count; i++) {
		struct walk walk = {.source = source, .into = &source->sections[i]};

		take_over(&walk, walk.into, 0);
		if (!walk.into->name || !defaults || defaults->taken_by == walk.into)
			continue;
		walk.by_default = true;
		take_over(&walk, defaults, 0);
	}
}

const struct param *section_param(const struct section *section, const char *key)
{
	for (size_t i = 0; i < section->all_count; i++) {
		if (strcmp(section->all[i]->key, key) == 0)
			return section->all[i];
	}
	return NULL;
}

const char *section_text(const struct section *section, const char *key)
{
	const struct param *param = section_param(section, key);

	return param ? param->value : NULL;
}

uint32_t section_time(const struct section *section, const char *key, uint32_t otherwise_ms)
{
	const char *text = section_text(section, key);
	uint64_t ms;

	if (!text || !value_time_ms(text, keyword_time_unit(key), &ms))
		return otherwise_ms;
	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

uint64_t section_size(const struct section *section, const char *key, uint64_t otherwise)
{
	const char *text = section_text(section, key);
	uint64_t size;

	return text && value_size(text, &size) ? size : otherwise;
}

uint32_t section_number(const struct section *section, const char *key, uint32_t otherwise)
{
	const char *text = section_text(section, key);
	uint64_t number;

	return text && value_number(text, UINT32_MAX, &number) ? (uint32_t)number : otherwise;
}
