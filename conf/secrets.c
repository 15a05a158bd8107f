/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsec.secrets(5): [IDS] : PSK "text" | 0xHEX | 0sBASE64, and for RFC 8784
 * [IDS] : PPKS "name" "text" | …. An entry goes on in lines that begin with
 * white space. Other kinds of secrets are passed over with a warning.
 */
#include "conf/internal.h"

#include "ike/crypto/text.h"
#include "ike/id.h"
#include "lib/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_WORDS 64
/* RFC 8784 6: 256 bits, against a quantum computer too. */
#define PPK_LEN_MIN 32

struct words {
	char *list[MAX_WORDS];
	bool quoted[MAX_WORDS];
	size_t count;
	bool broken; /* an unmatched quote, or too many words */
};

/* Words of one entry, quotes taken off. */
static struct words split(char *text)
{
	struct words words = {0};

	for (;;) {
		char *end;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return words;
		if (words.count == MAX_WORDS) {
			words.broken = true;
			return words;
		}
		words.quoted[words.count] = *text == '"' || *text == '\'';
		if (words.quoted[words.count]) {
			end = strchr(text + 1, *text);
			text++;
		} else {
			end = text + strcspn(text, " \t\r\n");
		}
		if (!end) {
			words.broken = true;
			return words;
		}
		words.list[words.count++] = text;
		text = *end ? end + 1 : end;
		*end = '\0';
	}
}

/* What stands in quotes is text, whatever it begins with. */
static bool decode_secret(const char *text, bool quoted, struct secret *out)
{
	if (!quoted && strncasecmp(text, "0x", 2) == 0)
		return text_decode_hex(text + 2, out) && out->len > 0;
	if (!quoted && strncasecmp(text, "0s", 2) == 0)
		return text_decode_base64(text + 2, out) && out->len > 0;
	if (!quoted && strncasecmp(text, "0t", 2) == 0)
		text += 2;
	return text[0] && secret_set(out, text, strlen(text));
}

/* "%any", "0.0.0.0" and "::" are everybody. False: not an identity that can have a PSK. */
static bool take_id(const char *text, struct ike_id *out)
{
	struct ike_id_spec spec;
	struct addr addr;

	if (strcasecmp(text, "%any6") == 0 || (addr_parse(text, &addr) && addr_is_any(&addr)))
		text = "%any";
	if (!value_id(text, &spec))
		return false;
	if (spec.kind == IKE_ID_KIND_EXACT)
		*out = spec.id;
	else if (spec.kind == IKE_ID_KIND_ANY)
		out->type = IKE_ID_TYPE_ANY;
	else
		return false;
	return true;
}

static bool take_ids(struct conf_report *report, struct place place, const struct words *words,
	size_t count, struct ike_psk *psk)
{
	psk->ids = mem_zalloc(count * sizeof(*psk->ids));
	for (size_t i = 0; i < count; i++) {
		if (!take_id(words->list[i], &psk->ids[i])) {
			report_error(report, place, "'%s' is no identity", words->list[i]);
			return false;
		}
		psk->id_count++;
	}
	return true;
}

/* By hand, because realloc() would leave the old copy in free memory. */
static void add_psk(struct psk_list *out, const struct ike_psk *psk)
{
	if (out->count == out->room) {
		size_t room = out->room ? out->room * 2 : 8;
		struct ike_psk *grown = mem_zalloc(room * sizeof(*grown));

		if (out->count)
			memcpy(grown, out->psks, out->count * sizeof(*grown));
		secret_wipe(out->psks, out->count * sizeof(*grown));
		free(out->psks);
		out->psks = grown;
		out->room = room;
	}
	out->psks[out->count++] = *psk;
}

void psks_free(struct ike_psk *psks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		secret_clear(&psks[i].secret);
		free(psks[i].name);
		free(psks[i].ids);
	}
	free(psks);
}

/* The name of a PPK is bytes, written as a secret is. */
static bool take_name(const char *text, bool quoted, struct ike_psk *ppk)
{
	struct secret name = {0};
	bool good = decode_secret(text, quoted, &name) && name.len <= IKE_ID_MAX;

	if (good) {
		ppk->name = mem_dup(name.data, name.len);
		ppk->name_len = name.len;
	}
	return good;
}

static bool has_name(const struct psk_list *list, const struct ike_psk *ppk)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->psks[i].name_len == ppk->name_len &&
			memcmp(list->psks[i].name, ppk->name, ppk->name_len) == 0)
			return true;
	}
	return false;
}

static void check_ppk(struct conf_report *report, struct place place, const struct psk_list *list,
	const struct ike_psk *ppk)
{
	if (has_name(list, ppk))
		report_warning(report, place, "there is a PPK of this name already");
	if (ppk->secret.len < PPK_LEN_MIN)
		report_warning(report, place, "a PPK should have %d bytes at least", PPK_LEN_MIN);
}

static bool read_psk(struct conf_report *report, struct place place, const struct words *words,
	size_t colon, bool is_ppk, struct ike_psk *psk)
{
	size_t last = words->count - 1;

	if (words->count != colon + (is_ppk ? 4 : 3)) {
		report_error(report, place, "expected %s", is_ppk ? "a name and one secret after PPKS"
								: "one secret after PSK");
		return false;
	}
	if (!take_ids(report, place, words, colon, psk))
		return false;
	if (is_ppk && !take_name(words->list[last - 1], words->quoted[last - 1], psk)) {
		report_error(report, place, "the name of the PPK cannot be read");
		return false;
	}
	if (decode_secret(words->list[last], words->quoted[last], &psk->secret))
		return true;
	report_error(report, place,
		"the secret cannot be read (\"text\", 0xHEX or 0sBASE64; %d bytes at most)", SECRET_MAX);
	return false;
}

static void take_psk(struct conf_report *report, struct place place, const struct words *words,
	size_t colon, bool is_ppk, struct secrets *out)
{
	struct ike_psk psk = {0};

	if (read_psk(report, place, words, colon, is_ppk, &psk)) {
		if (is_ppk)
			check_ppk(report, place, &out->ppks, &psk);
		add_psk(is_ppk ? &out->ppks : &out->psks, &psk);
	} else {
		free(psk.name);
		free(psk.ids);
	}
	secret_clear(&psk.secret);
}

static void include_file(struct source *source, const char *path, struct place from, void *arg)
{
	secrets_file(source, path, from, arg);
}

/* The place of the word ":"; "ID: PSK" has it stuck to the last id. */
static size_t find_colon(struct words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!words->quoted[i] && strcmp(words->list[i], ":") == 0)
			return i;
	}
	for (size_t i = 0; i + 1 < words->count && words->count < MAX_WORDS; i++) {
		size_t len = strlen(words->list[i]);

		if (words->quoted[i] || len < 2 || words->list[i][len - 1] != ':')
			continue;
		words->list[i][len - 1] = '\0';
		memmove(&words->list[i + 2], &words->list[i + 1],
			(words->count - i - 1) * sizeof(words->list[0]));
		memmove(&words->quoted[i + 2], &words->quoted[i + 1],
			(words->count - i - 1) * sizeof(words->quoted[0]));
		words->list[i + 1] = words->list[i] + len - 1;
		words->quoted[i + 1] = false;
		words->count++;
		return i + 1;
	}
	return SIZE_MAX;
}

static void take_entry(
	struct source *source, char *text, struct place place, struct secrets *out, bool follow)
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
		if (words.count != 2)
			report_error(source->report, place, "include needs a file");
		else if (follow)
			file_include(source, words.list[1], place, include_file, out);
		return;
	}
	colon = find_colon(&words);
	if (colon == SIZE_MAX || colon + 1 >= words.count)
		report_error(source->report, place, "expected [IDS] : PSK \"secret\"");
	else if (strcasecmp(words.list[colon + 1], "PSK") == 0)
		take_psk(source->report, place, &words, colon, false, out);
	else if (strcasecmp(words.list[colon + 1], "PPKS") == 0)
		take_psk(source->report, place, &words, colon, true, out);
	else
		report_warning(source->report, place,
			"secrets of kind %s are not used by this version", words.list[colon + 1]);
}

/*
 * Entries are put together in the text itself, so that no copy of a secret is
 * made: what ends a line within an entry, and its comment, become spaces.
 */
void secrets_text(struct source *source, const char *file, char *text, size_t len,
	struct secrets *out, bool follow)
{
	struct place place = {.file = file, .line = 0}, begin = {.file = file, .line = 1};
	char *end = text + len, *entry = NULL;

	if (!file_is_text(source->report, file, text, len))
		return;
	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *stop = newline ? newline : end;
		size_t kept;

		place.line++;
		*stop = '\0';
		if (entry && *text && !isspace((unsigned char)*text) && *text != '#') {
			text[-1] = '\0';
			take_entry(source, entry, begin, out, follow);
			entry = NULL;
		}
		if (!entry) {
			entry = text;
			begin = place;
		}
		text_cut_comment(text);
		kept = strlen(text);
		memset(text + kept, ' ', (size_t)(stop - text) - kept + (newline ? 1 : 0));
		text = stop + 1;
	}
	if (entry)
		take_entry(source, entry, begin, out, follow);
}

/* `from` names what includes it. Who uses no PSK needs no file at all. */
void secrets_file(struct source *source, const char *path, struct place from, struct secrets *out)
{
	struct place place = {0};
	struct open_file file;
	struct stat st;
	size_t len;
	char *text;

	if (!file_enter(source, path, from, &file))
		return;
	text = file_read(path, &len);
	if (text) {
		place.file = file_note(source, path);
		if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
			report_warning(source->report, place,
				"secrets can be read by others (mode %04o)",
				(unsigned)(st.st_mode & 07777));
		secrets_text(source, place.file, text, len, out, true);
		secret_wipe(text, len);
		free(text);
	} else if (errno != ENOENT) {
		report_error(source->report, from, "cannot read %s: %s", path, strerror(errno));
	}
	file_leave(source);
}
