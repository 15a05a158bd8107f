/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Group files (rule G5): a line is who, and optionally PROTOCOL LOCALPORT REMOTEPORT. */
#include "conf/internal.h"

#include "lib/mem.h"
#include "xfrm/dataplane.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 5
#define LINE_ID_MAX DP_LINE_MAX

/* Words up to a '#' at the start of one; MAX_WORDS says "too many". */
static size_t split(char *text, char *words[MAX_WORDS])
{
	size_t count = 0;

	for (;;) {
		while (isspace((unsigned char)*text))
			*text++ = '\0';
		if (!*text || *text == '#' || count == MAX_WORDS)
			return count;
		words[count++] = text;
		while (*text && !isspace((unsigned char)*text))
			text++;
	}
}

static void add(struct line_list *list, const struct policy_line *line)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->lines = mem_resize(list->lines, list->room, sizeof(*list->lines));
	}
	list->lines[list->count++] = *line;
}

/* A name stands for whole hosts: which port a lookup is for is not known. */
static void take_name(struct conf_report *report, struct place place, const char *text,
	size_t word_count, size_t conn_index, struct line_list *out)
{
	struct policy_name *name;

	if (word_count != 1) {
		report_error(report, place, "'%s': a name takes no protocol and no ports", text);
		return;
	}
	out->names = mem_resize(out->names, out->name_count + 1, sizeof(*out->names));
	name = &out->names[out->name_count++];
	*name = (struct policy_name){.pattern = mem_strdup(text),
		.conn = conn_index,
		.file = (char *)place.file,
		.line = place.line};
	for (char *at = name->pattern; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	/* "host.example." is the same name. */
	if (name->pattern[strlen(name->pattern) - 1] == '.')
		name->pattern[strlen(name->pattern) - 1] = '\0';
}

static bool parse_ports(struct conf_report *report, struct place place, char **words, size_t count,
	struct policy_line *line)
{
	if (count == 1)
		return true;
	if (count != 4)
		report_error(report, place, "expected PREFIX [PROTOCOL LOCALPORT REMOTEPORT]");
	else if (!value_protocol(words[1], &line->proto))
		report_error(report, place, "'%s' is no protocol that can be covered", words[1]);
	else if (!value_port(words[2], line->proto, &line->local_port))
		report_error(report, place, "'%s' is no port", words[2]);
	else if (!value_port(words[3], line->proto, &line->remote_port))
		report_error(report, place, "'%s' is no port", words[3]);
	else if (line->proto == 0 && (line->local_port || line->remote_port))
		report_error(report, place, "ports need a protocol");
	else
		return true;
	return false;
}

static void take_line(struct conf_report *report, struct place place, char *text,
	size_t conn_index, struct line_list *out)
{
	struct policy_line line = {.conn = conn_index, .line = place.line};
	char *words[MAX_WORDS];
	size_t count = split(text, words);
	bool host_bits;

	if (count == 0)
		return;
	if (!prefix_parse(words[0], &line.remote, &host_bits)) {
		if (value_is_name_pattern(words[0]))
			take_name(report, place, words[0], count, conn_index, out);
		else
			report_error(report, place, "'%s' is no address, prefix or name", words[0]);
		return;
	}
	if (host_bits)
		report_warning(report, place, "'%s' has host bits; they are ignored", words[0]);
	if (!parse_ports(report, place, words, count, &line))
		return;
	line.file = (char *)place.file; /* lives as long as conf.files */
	add(out, &line);
}

void group_text(struct conf_report *report, const char *file, char *text, size_t len,
	size_t conn_index, struct line_list *out)
{
	struct place place = {.file = file, .line = 1};
	char *end = text + len;

	if (!file_is_text(report, file, text, len))
		return;
	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *stop = newline ? newline : end;

		*stop = '\0';
		take_line(report, place, text, conn_index, out);
		text = stop + 1;
		place.line++;
	}
}

/* --- ids ----------------------------------------------------------------------------------------- */

static uint32_t hash_line(const struct policy_config *config, const struct policy_line *line)
{
	uint32_t hash = addr_hash(&line->remote.addr, 0x811c9dc5u);

	for (const char *at = config->conns[line->conn].name; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 0x01000193u;
	hash = (hash ^ line->remote.len) * 0x01000193u;
	hash = (hash ^ line->proto) * 0x01000193u;
	hash = (hash ^ line->local_port) * 0x01000193u;
	hash = (hash ^ line->remote_port) * 0x01000193u;
	return hash ^ hash >> 16;
}

static uint32_t first_id(const struct policy_config *config, const struct policy_line *line)
{
	return hash_line(config, line) & LINE_ID_MAX;
}

static bool says_the_same(const struct policy_config *a, const struct policy_line *x,
	const struct policy_config *b, const struct policy_line *y)
{
	return policy_line_same(x, y) && strcmp(a->conns[x->conn].name, b->conns[y->conn].name) == 0;
}

/* Lines get the ids that they have in `old`; the others none. */
static void keep_ids(const struct policy_config *config, const struct policy_config *old, bool *taken)
{
	uint32_t *first = mem_zalloc((LINE_ID_MAX + 1) * sizeof(*first)); /* numbers from 1 on; 0: none */
	uint32_t *next = mem_zalloc(old->line_count * sizeof(*next));

	for (uint32_t i = 0; i < old->line_count; i++) {
		uint32_t id = first_id(old, &old->lines[i]);

		next[i] = first[id];
		first[id] = i + 1;
	}
	for (size_t i = 0; i < config->line_count; i++) {
		struct policy_line *line = &config->lines[i];
		uint32_t at = first[first_id(config, line)];

		while (at && !says_the_same(config, line, old, &old->lines[at - 1]))
			at = next[at - 1];
		line->id = at && !taken[old->lines[at - 1].id] ? old->lines[at - 1].id : 0;
		taken[line->id] = true;
	}
	free(first);
	free(next);
}

/*
 * An id is the hash of what the line says, moved on to the next free one. So a line has the same
 * one after a restart, unless a neighbour in the hash came or went; then the kernel's entries are
 * replaced. While we run it keeps what it had.
 */
void group_number_lines(const struct policy_config *config, const struct policy_config *old)
{
	bool *taken = mem_zalloc(LINE_ID_MAX + 1);

	taken[0] = true;
	if (old)
		keep_ids(config, old, taken);
	for (size_t i = 0; i < config->line_count; i++) {
		uint32_t id = first_id(config, &config->lines[i]);

		if (config->lines[i].id)
			continue;
		while (taken[id])
			id = (id + 1) & LINE_ID_MAX;
		taken[id] = true;
		config->lines[i].id = id;
	}
	free(taken);
}
