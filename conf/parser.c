/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsec.conf(5) syntax: sections, parameters, include, comments, quotes and
 * continuation by a backslash at the end of a line. A '#' begins a comment
 * where a word could begin. What a parameter means is no matter here.
 */
#include "conf/internal.h"

#include "lib/mem.h"
#include "lib/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The text of one logical line, taken from the cursor; empty lines too. */
struct cursor {
	char *at, *end;
	unsigned line; /* of what is taken next */
};

static bool is_comment(const char *text, size_t len)
{
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	return len && *text == '#';
}

/*
 * Joins continued lines; false at the end. `*place_line` is the first physical
 * line. A comment never goes on: it would swallow an option unseen.
 */
static bool take_line(struct cursor *cursor, struct strbuf *out, unsigned *place_line)
{
	bool more = true;

	out->len = 0;
	strbuf_add(out, "", 0);
	if (cursor->at >= cursor->end)
		return false;
	*place_line = cursor->line;
	while (more && cursor->at < cursor->end) {
		char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
		size_t len = (size_t)((newline ? newline : cursor->end) - cursor->at);

		cursor->line++;
		more = len > 0 && cursor->at[len - 1] == '\\' && !is_comment(cursor->at, len);
		strbuf_add(out, cursor->at, more ? len - 1 : len);
		cursor->at = newline ? newline + 1 : cursor->end;
	}
	return true;
}

static char *skip_space(char *text)
{
	while (*text && isspace((unsigned char)*text))
		text++;
	return text;
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
}

void text_cut_comment(char *text)
{
	bool quoted = false;

	for (char *at = text; *at; at++) {
		if (*at == '"')
			quoted = !quoted;
		if (*at == '#' && !quoted && (at == text || isspace((unsigned char)at[-1]))) {
			*at = '\0';
			return;
		}
	}
}

/* The next word; *rest is what follows it. */
static char *take_word(char *text, char **rest)
{
	char *end = text;

	while (*end && !isspace((unsigned char)*end))
		end++;
	*rest = *end ? skip_space(end + 1) : end;
	*end = '\0';
	return text;
}

/* Takes the quotes off a value; false when they do not match. */
static bool unquote(char *value)
{
	size_t len = strlen(value);

	if (value[0] != '"')
		return strchr(value, '"') == NULL || value[len - 1] == '"';
	if (len < 2 || value[len - 1] != '"')
		return false;
	memmove(value, value + 1, len - 2);
	value[len - 2] = '\0';
	return true;
}

/* --- sections -------------------------------------------------------------------------------- */

static struct section *open_section(struct source *source, const char *name, struct place place)
{
	struct section *section;

	for (size_t i = 0; i < source->count; i++) {
		section = &source->sections[i];
		if (name && section->name && strcmp(section->name, name) == 0) {
			/* Defaults come in as many pieces as there are files. */
			if (strcmp(name, "%default") == 0)
				return section;
			report_warning(source->report, place,
				"conn %s was begun at %s:%u; both count as one", name,
				section->place.file, section->place.line);
			return section;
		}
		if (!name && !section->name)
			return section;
	}
	source->sections =
		mem_resize(source->sections, source->count + 1, sizeof(*source->sections));
	section = &source->sections[source->count++];
	*section = (struct section){.name = name ? mem_strdup(name) : NULL, .place = place};
	return section;
}

static void warn_if_again(
	struct conf_report *report, const struct section *section, const struct param *param)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct place *first = &section->params[i].place;

		if (strcmp(section->params[i].key, param->key) != 0 ||
			strcmp(param->key, "also") == 0)
			continue;
		report_warning(report, param->place,
			"'%s' is given again (first at %s:%u); the last counts", param->key,
			first->file, first->line);
		return;
	}
}

static void add_param(
	struct source *source, struct section *section, char *text, struct place place)
{
	char *equals = strchr(text, '=');
	struct param param = {.place = place};

	if (!equals) {
		report_error(source->report, place, "'%s' is neither a section nor KEY=VALUE", text);
		return;
	}
	*equals = '\0';
	trim_end(text);
	param.key = mem_strdup(text);
	param.value = mem_strdup(skip_space(equals + 1));
	/* libreswan reads '_' and '-' in names alike. */
	for (char *at = param.key; *at; at++)
		*at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
	if (!section)
		report_error(source->report, place, "'%s' stands in no section", param.key);
	else if (param.key[0] == '\0')
		report_error(source->report, place, "a value without a name");
	else if (!unquote(param.value))
		report_error(source->report, place, "quotes of '%s' do not match", param.key);
	else {
		warn_if_again(source->report, section, &param);
		section->params = mem_resize(
			section->params, section->count + 1, sizeof(*section->params));
		section->params[section->count++] = param;
		return;
	}
	free(param.key);
	free(param.value);
}

/* --- include ------------------------------------------------------------------------------------ */

static void include_file(struct source *source, const char *path, struct place from, void *arg)
{
	(void)arg;
	parse_file(source, path, from);
}

static void include(struct source *source, char *pattern, struct place place)
{
	if (!unquote(pattern) || !*pattern)
		report_error(source->report, place, "include needs a file");
	else
		file_include(source, pattern, place, include_file, NULL);
}

/* True when the line opened a section or included something; *section is the current one then. */
static bool take_header(struct source *source, char *text, struct place place, bool follow,
	size_t *section)
{
	char *copy = mem_strdup(text);
	char *rest;
	char *word = take_word(copy, &rest);
	bool taken = true;

	if (strcmp(word, "config") == 0 && strcmp(rest, "setup") == 0) {
		*section = (size_t)(open_section(source, NULL, place) - source->sections);
	} else if (strcmp(word, "conn") == 0 && *rest && !strchr(rest, '=')) {
		if (!unquote(rest))
			report_error(source->report, place, "quotes of the name do not match");
		*section = (size_t)(open_section(source, rest, place) - source->sections);
	} else if (strcmp(word, "include") == 0) {
		if (follow)
			include(source, rest, place);
		*section = SIZE_MAX;
	} else if (strcmp(word, "version") == 0 && !strchr(text, '=')) {
		/* "version 2.0" headed the files of the past. */
		*section = SIZE_MAX;
	} else if (strcmp(word, "config") == 0 || strcmp(word, "conn") == 0 ||
		   strcmp(word, "ca") == 0) {
		report_error(source->report, place, "'%s' is no section here (config setup, conn NAME)",
			text);
		*section = SIZE_MAX;
	} else {
		taken = false;
	}
	free(copy);
	return taken;
}

void parse_text(struct source *source, const char *file, char *text, size_t len, bool follow)
{
	struct cursor cursor = {.at = text, .end = text + len, .line = 1};
	struct place place = {.file = file};
	struct strbuf line = {0};
	size_t section = SIZE_MAX;

	if (!file_is_text(source->report, file, text, len))
		return;
	while (take_line(&cursor, &line, &place.line)) {
		char *body = skip_space(line.text);

		text_cut_comment(body);
		trim_end(body);
		if (!*body || take_header(source, body, place, follow, &section))
			continue;
		add_param(source, section == SIZE_MAX ? NULL : &source->sections[section], body,
			place);
	}
	strbuf_clear(&line);
}

void parse_file(struct source *source, const char *path, struct place from)
{
	struct open_file file;
	size_t len;
	char *text;

	if (!file_enter(source, path, from, &file))
		return;
	text = file_read(path, &len);
	if (text)
		parse_text(source, file_note(source, path), text, len, true);
	else
		report_error(source->report, from, "cannot read %s: %s", path, strerror(errno));
	file_leave(source);
	free(text);
}

void sections_free(struct source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		struct section *section = &source->sections[i];

		for (size_t j = 0; j < section->count; j++) {
			free(section->params[j].key);
			free(section->params[j].value);
		}
		free(section->params);
		free(section->all);
		free(section->name);
	}
	free(source->sections);
}
