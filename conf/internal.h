/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the reader of configurations: places, sections and parameters as they
 * stand in the files, before they mean anything. Included by conf/ only.
 *
 *   bytes -> parser.c -> sections and parameters -> keyword.c (are they known,
 *   are the values possible) -> resolve.c (which of them count) -> setup.c and
 *   conn.c (what they mean) -> struct conf
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf/conf.h"

#include <sys/types.h>

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
	/* All that count for it, the first of equals wins (resolve.c); owned elsewhere. */
	const struct param **all;
	size_t all_count;
	const struct section *taken_by; /* the last that took this over */
};

/* A file that is being read; on the stack of whoever reads it. */
struct open_file {
	const struct open_file *outer; /* that includes it */
	dev_t device;
	ino_t inode;
};

struct source {
	struct conf_report *report;
	struct section *sections;
	size_t count;
	char ***files; /* every file read, owned by struct conf */
	size_t *file_count;
	const struct open_file *open;
	unsigned depth; /* of includes */
};

#define CONF_MAX_FILE (256u << 20)
#define CONF_MAX_DEPTH 16
#define CONF_MAX_FILES 10000

/* --- report.c ---------------------------------------------------------------------------- */
void report_error(struct conf_report *report, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_defect(struct conf_report *report, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_warning(struct conf_report *report, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- file.c ------------------------------------------------------------------------------- */
/* The whole file with a NUL behind it, without a byte order mark; NULL with errno. Caller frees. */
char *file_read(const char *path, size_t *len);
/* Frees what file_read() gave, when it may hold a key: wipes it first. NULL is fine. */
void file_forget(char *bytes, size_t len);
/* False, and reported, when there is a NUL among the bytes. */
bool file_is_text(struct conf_report *report, const char *file, const char *bytes, size_t len);
/* Begins to read a file; false, reported at `from`, when includes run in a circle or too deep. */
bool file_enter(struct source *source, const char *path, struct place from, struct open_file *file);
void file_leave(struct source *source);
/* Calls `found` for each file that an include= names; a plain name that is none is an error. */
typedef void (*file_found)(struct source *source, const char *path, struct place from, void *arg);
void file_include(struct source *source, const char *pattern, struct place from, file_found found,
	void *arg);
/* Notes that a file was read; the text that is kept. */
const char *file_note(struct source *source, const char *path);
/* `path`, or beside `base` when it is relative. Caller frees. */
char *file_beside(const char *base, const char *path);

/* --- parser.c ------------------------------------------------------------------------------- */
/* Ends the text where a comment begins: a '#' outside quotes, at the start of a word. */
void text_cut_comment(char *text);
/* Parses bytes (a NUL behind them) as ipsec.conf; follows includes when `follow`. */
void parse_text(struct source *source, const char *file, char *text, size_t len, bool follow);
void parse_file(struct source *source, const char *path, struct place from);
void sections_free(struct source *source);
/* All sections as one text without includes; caller frees. */
char *sections_flatten(const struct source *source);

/* --- resolve.c ---------------------------------------------------------------------------------- */
/* Follows also= and conn %default, once all files are read. */
void sections_resolve(struct source *source);
/* The parameter that counts; NULL when there is none. */
const struct param *section_param(const struct section *section, const char *key);
const char *section_text(const struct section *section, const char *key);
/* Milliseconds, UINT32_MAX at most. */
uint32_t section_time(const struct section *section, const char *key, uint32_t otherwise_ms);
uint64_t section_size(const struct section *section, const char *key, uint64_t otherwise);
uint32_t section_number(const struct section *section, const char *key, uint32_t otherwise);

/* --- keyword.c --------------------------------------------------------------------------------- */
/* Unknown options, impossible values and options without effect, for one section. */
void check_params(struct conf_report *report, const struct section *section);
/* What a number without a unit counts for this option, in milliseconds. */
uint32_t keyword_time_unit(const char *name);

/* --- value.c ------------------------------------------------------------------------------------- */
/* "3s", "3000ms", "1m", "8h", "1d", "3" (of `unit_ms`): milliseconds. */
bool value_time_ms(const char *text, uint32_t unit_ms, uint64_t *out);
bool value_number(const char *text, uint64_t max, uint64_t *out);
/* "1000", "64KiB", "10GiB": 2^62 at most, and not nothing. */
bool value_size(const char *text, uint64_t *out);
/* "100%", "100": up to 1000. */
bool value_percent(const char *text, uint64_t *out);
/* One of "a | b | c". */
bool value_is_one_of(const char *text, const char *list);
/* "rsasig,ecdsa", "rsa-sha2_256 | null": each word, up to its hash, one of `list`. */
bool value_is_auth_list(const char *text, const char *list);
#define VALUE_LIST_ENDS ",| \t-"
bool value_id(const char *text, struct ike_id_spec *out);
bool value_protocol(const char *text, uint8_t *out);
bool value_port(const char *text, uint8_t proto, uint16_t *out);
bool value_is_name_pattern(const char *text);

/* --- algorithm.c ---------------------------------------------------------------------------------- */
/*
 * `ike=` or `esp=` into the list of each kind of algorithm. True: *text gets
 * the names that this build has not ("" when none was left out). False: *text
 * says why not. The caller frees *text.
 */
bool value_suite(const char *value, bool is_ike, struct ike_suite *out, char **text);

/* --- group_file.c ------------------------------------------------------------------------------------ */
/* A group's lines. */
struct line_list {
	struct policy_line *lines;
	size_t count, room;
	struct policy_name *names;
	size_t name_count;
};
void group_text(struct conf_report *report, const char *file, char *text, size_t len,
	size_t conn_index, struct line_list *out);
/* Gives every line its id (1 ..): the one that it has in `old`, which may be NULL. */
void group_number_lines(const struct policy_config *config, const struct policy_config *old);

/* --- secrets.c ------------------------------------------------------------------------------------------ */
struct psk_list {
	struct ike_psk *psks;
	size_t count, room;
};
struct secrets {
	struct psk_list psks, ppks;
};
void secrets_text(struct source *source, const char *file, char *text, size_t len,
	struct secrets *out, bool follow);
void secrets_file(struct source *source, const char *path, struct place from, struct secrets *out);
/* Wipes and frees a list. */
void psks_free(struct ike_psk *psks, size_t count);

/* --- certs.c: keys, certificates and CAs ---------------------------------------------------------------- */
/* While conns are built. */
struct certs {
	struct source *source;
	struct ike_config *ike; /* gets what conns need */
	const char *pki_dir;
	bool crl_strict;
	struct cert_trust *all; /* every CA with all revocation lists, once they are read */
};
/* Our certificate and its key by nickname or path; false with the reason (caller frees). */
bool certs_load_own(struct certs *certs, const char *name, size_t *index, char **why);
/* Whether it carries an identity; whether its key is one of `keys` (*text: which it is). */
bool certs_own_covers(const struct certs *certs, size_t index, const struct ike_id *id);
bool certs_own_key_is(const struct certs *certs, size_t index, unsigned keys, const char **text);
/* The CAs that rightca= (NULL: not given) means; false with the reason (caller frees). */
bool certs_load_cas(
	struct certs *certs, const char *ca, bool has_own, size_t own, size_t *index, char **why);
void certs_end(struct certs *certs);

/* --- conn_auth.c ------------------------------------------------------------------------------------------ */
#define CONN_GROUP_WORDS "%opportunisticgroup | %group"
/* The group is nearly always right=; where it is left=, the ends change places. */
bool conn_is_mirrored(const struct section *conn);
/* leftcert= for our end or rightcert= for the other, whichever side the group is on. */
const char *conn_end_text(const struct section *conn, bool own, const char *key);
/* How both ends show who they are, into `out` (G7). */
void conn_fill_auth(struct certs *certs, const struct section *conn, struct ike_conn *out);

/* --- weigh.c ------------------------------------------------------------------------------------------------------ */
/* Warns of lines that are slow in the kernel, refuses those that would hurt. */
void weigh_lines(struct conf_report *report, const struct policy_config *policy);

/* --- setup.c, conn.c ---------------------------------------------------------------------------------------------- */
void build_setup(struct source *source, struct conf *conf);
void build_conns(struct source *source, struct conf *conf);

#endif
