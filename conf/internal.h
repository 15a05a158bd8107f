/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the reader of configurations: places, sections and parameters as they
 * stand in the files, before they mean anything. Included by conf/ only.
 *
 *   bytes -> parser.c -> sections and parameters -> keyword.c (are they known,
 *   are the values possible) -> build.c (what they mean) -> struct conf
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf/conf.h"

/* Where something stands. `file` is owned by conf.files. */
struct place {
	const char *file;
	unsigned line;
};

struct param {
	char *key;
	char *value;
	struct place place;
};

struct section {
	char *name; /* of a conn; NULL: config setup */
	struct place place;
	struct param *params;
	size_t count;
	bool visiting; /* while also= is followed */
};

struct source {
	struct conf_report *report;
	struct section *sections;
	size_t count;
	char ***files; /* every file read, owned by struct conf */
	size_t *file_count;
	unsigned depth; /* of includes */
};

#define CONF_MAX_FILE (256u << 20)
#define CONF_MAX_DEPTH 16

/* --- report.c ---------------------------------------------------------------------------- */
void report_error(struct conf_report *report, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_warning(struct conf_report *report, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- file.c ------------------------------------------------------------------------------- */
/* The whole file with a NUL behind it; NULL with errno. Caller frees. */
char *file_read(const char *path, size_t *len);
/* Notes that a file was read; the text that is kept. */
const char *file_note(struct source *source, const char *path);
/* `path`, or beside `base` when it is relative. Caller frees. */
char *file_beside(const char *base, const char *path);

/* --- parser.c ------------------------------------------------------------------------------- */
/* Parses bytes (a NUL behind them) as ipsec.conf; follows includes when `follow`. */
void parse_text(struct source *source, const char *file, char *text, size_t len, bool follow);
void parse_file(struct source *source, const char *path, struct place from);
void sections_free(struct source *source);
/* All sections as one text without includes; caller frees. */
char *sections_flatten(const struct source *source);

/* --- keyword.c --------------------------------------------------------------------------------- */
/* Unknown options, impossible values and options without effect, for one section. */
void check_params(struct conf_report *report, const struct section *section);

/* --- value.c ------------------------------------------------------------------------------------- */
/* "3s", "3000ms", "3", "1m", "8h", "1d": milliseconds. */
bool value_time_ms(const char *text, uint64_t *out);
bool value_number(const char *text, uint64_t max, uint64_t *out);
bool value_bool(const char *text, bool *out);
/* One of "a | b | c". */
bool value_is_one_of(const char *text, const char *list);
bool value_id(const char *text, struct ike_id_spec *out);
/* `ike=` or `esp=`: fills `out`; *left_out gets the names that this build has not (may be ""). */
bool value_suite(const char *text, bool is_ike, struct ike_suite *out, char **left_out);
bool value_protocol(const char *text, uint8_t *out);
bool value_port(const char *text, uint8_t proto, uint16_t *out);
bool value_is_name_pattern(const char *text);

/* --- group_file.c ------------------------------------------------------------------------------------ */
/* A group's lines. */
struct line_list {
	struct policy_line *lines;
	size_t count, room;
};
void group_text(struct conf_report *report, const char *file, char *text, size_t len,
	const struct policy_conn *conn, size_t conn_index, struct line_list *out);
/* Gives every line its id (1 .., the same for the same line at each load). */
void group_number_lines(const struct policy_config *config);

/* --- secrets.c ------------------------------------------------------------------------------------------ */
struct psk_list {
	struct ike_psk *psks;
	size_t count;
};
void secrets_text(struct source *source, const char *file, char *text, size_t len,
	struct psk_list *out, bool follow);
void secrets_file(struct source *source, const char *path, struct psk_list *out);

/* --- build.c ---------------------------------------------------------------------------------------------- */
void build_setup(struct source *source, struct conf *conf);
void build_conns(struct source *source, struct conf *conf);

#endif
