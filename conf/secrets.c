/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsec.secrets(5): [IDS] : PSK "text" | 0xHEX | 0sBASE64. An entry goes on in
 * lines that begin with white space. Other kinds of secrets are passed over
 * with a warning.
 */
#include "conf/internal.h"

#include "ike/crypto/text.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_WORDS 64

struct words {
	char *list[MAX_WORDS];
	size_t count;
	bool broken; /* an unmatched quote, or too many words */
};

/* Words of one entry, quotes taken off; a '#' at the start of a word ends it. */
static struct words split(char *text)
{
	struct words words = {0};

	for (;;) {
		char *end;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text || *text == '#')
			return words;
		if (words.count == MAX_WORDS) {
			words.broken = true;
			return words;
		}
		if (*text == '"') {
			end = strchr(++text, '"');
			if (!end) {
				words.broken = true;
				return words;
			}
		} else {
			end = text + strcspn(text, " \t\r\n");
		}
		words.list[words.count++] = text;
		text = *end ? end + 1 : end;
		*end = '\0';
	}
}

static bool decode_secret(const char *text, struct secret *out)
{
	if (strncasecmp(text, "0x", 2) == 0)
		return text_decode_hex(text + 2, out);
	if (strncasecmp(text, "0s", 2) == 0)
		return text_decode_base64(text + 2, out);
	return text[0] && secret_set(out, text, strlen(text));
}

/* Ids before the colon. "%any" and "0.0.0.0" are everybody: type 0. */
static bool take_ids(struct conf_report *report, struct place place, const struct words *words,
	size_t count, struct ike_psk *psk)
{
	psk->ids = mem_zalloc(count * sizeof(*psk->ids));
	for (size_t i = 0; i < count; i++) {
		struct ike_id_spec spec;

		if (!value_id(words->list[i], &spec)) {
			report_error(report, place, "'%s' is no identity", words->list[i]);
			return false;
		}
		if (spec.kind == IKE_ID_KIND_EXACT)
			psk->ids[i] = spec.id;
		psk->id_count++;
	}
	return true;
}

static void take_psk(struct conf_report *report, struct place place, const struct words *words,
	size_t colon, struct psk_list *out)
{
	struct ike_psk psk = {0};

	if (words->count != colon + 3) {
		report_error(report, place, "expected one secret after PSK");
		return;
	}
	if (!take_ids(report, place, words, colon, &psk)) {
		free(psk.ids);
		return;
	}
	if (!decode_secret(words->list[colon + 2], &psk.secret)) {
		report_error(report, place, "the secret cannot be read (\"text\", 0xHEX or 0sBASE64; %d "
					    "bytes at most)",
			SECRET_MAX);
		free(psk.ids);
		return;
	}
	out->psks = mem_resize(out->psks, out->count + 1, sizeof(*out->psks));
	out->psks[out->count++] = psk;
	secret_clear(&psk.secret);
}

static void include(struct source *source, const struct words *words, struct place place,
	struct psk_list *out)
{
	char *path;

	if (words->count != 2) {
		report_error(source->report, place, "include needs a file");
		return;
	}
	path = file_beside(place.file, words->list[1]);
	if (source->depth >= CONF_MAX_DEPTH) {
		report_error(source->report, place, "includes are nested too deep");
	} else {
		source->depth++;
		secrets_file(source, path, out);
		source->depth--;
	}
	free(path);
}

/* The place of the word ":"; "ID: PSK" has it stuck to the last id. */
static size_t find_colon(struct words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		size_t len = strlen(words->list[i]);

		if (strcmp(words->list[i], ":") == 0)
			return i;
		if (len > 1 && words->list[i][len - 1] == ':' && words->count < MAX_WORDS) {
			words->list[i][len - 1] = '\0';
			memmove(&words->list[i + 2], &words->list[i + 1],
				(words->count - i - 1) * sizeof(words->list[0]));
			words->list[i + 1] = words->list[i] + len - 1;
			words->count++;
			return i + 1;
		}
	}
	return SIZE_MAX;
}

static void take_entry(
	struct source *source, char *text, struct place place, struct psk_list *out, bool follow)
{
	struct words words = split(text);
	size_t colon;

	if (words.broken) {
		report_error(source->report, place, "quotes do not match, or too many words");
		return;
	}
	if (words.count == 0)
		return;
	if (strcmp(words.list[0], "include") == 0) {
		if (follow)
			include(source, &words, place, out);
		return;
	}
	colon = find_colon(&words);
	if (colon == SIZE_MAX || colon + 1 >= words.count)
		report_error(source->report, place, "expected [IDS] : PSK \"secret\"");
	else if (strcasecmp(words.list[colon + 1], "PSK") == 0)
		take_psk(source->report, place, &words, colon, out);
	else
		report_warning(source->report, place,
			"secrets of kind %s are not used by this version", words.list[colon + 1]);
}

void secrets_text(struct source *source, const char *file, char *text, size_t len,
	struct psk_list *out, bool follow)
{
	struct place place = {.file = file, .line = 0}, begin = {.file = file, .line = 1};
	struct strbuf entry = {0};
	char *end = text + len;

	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = (size_t)((newline ? newline : end) - text);
		bool goes_on = line_len > 0 && isspace((unsigned char)*text);

		place.line++;
		if (!goes_on && entry.len) {
			take_entry(source, entry.text, begin, out, follow);
			secret_wipe(entry.text, entry.len);
			entry.len = 0;
		}
		if (!entry.len)
			begin = place;
		/* A comment ends with its own line, not with the entry. */
		strbuf_add(&entry, text, memchr(text, '#', line_len) && *text == '#' ? 0 : line_len);
		strbuf_add(&entry, " ", 1);
		text += line_len + 1;
	}
	if (entry.len)
		take_entry(source, entry.text, begin, out, follow);
	if (entry.text)
		secret_wipe(entry.text, entry.room);
	strbuf_clear(&entry);
}

void secrets_file(struct source *source, const char *path, struct psk_list *out)
{
	struct place place = {0};
	struct stat st;
	size_t len;
	char *text = file_read(path, &len);

	if (!text) {
		/* Who uses no PSK needs no file. */
		if (errno != ENOENT)
			report_error(source->report, place, "cannot read %s: %s", path, strerror(errno));
		return;
	}
	place.file = file_note(source, path);
	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
		report_warning(source->report, place, "secrets can be read by others (mode %04o)",
			(unsigned)(st.st_mode & 07777));
	secrets_text(source, place.file, text, len, out, true);
	secret_wipe(text, len);
	free(text);
}
