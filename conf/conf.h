/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the configuration: ipsec.conf syntax, group files and secrets, into
 * the structs that the wings declare. Rules C1 to C3 and G1 to G7.
 *
 * One keyword table (keyword.c) drives the parser, the checker and the manual
 * page. Messages are collected, not printed: each has its place.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "ike/conn.h"
#include "policy/line.h"
#include "resolver/config.h"

enum conf_severity {
	CONF_ERROR,   /* nothing of it is used (C2) */
	CONF_DEFECT,  /* it is used, but a part of it cannot do what it is for (G3, G7) */
	CONF_WARNING,
};

struct conf_message {
	enum conf_severity severity;
	char *file; /* NULL when it has no place */
	unsigned line;
	char *text;
};

struct conf_report {
	struct conf_message *messages;
	size_t count;
	size_t errors, defects;
};

/* "oe.conf:14: unknown option 'lefft', did you mean 'left'?"; caller frees. */
char *conf_message_format(const struct conf_message *message);
void conf_report_clear(struct conf_report *report);

/* `config setup`, besides what belongs to a wing. All strings are owned and never NULL unless said. */
struct conf_setup {
	char *log_file;	      /* logfile=; NULL: stderr */
	char *key_log;	      /* ike-keylog=; NULL: none */
	bool log_debug;	      /* plutodebug= or debug= names something other than none */
	char *state_dir;      /* statedir= */
	char *control_socket; /* control-socket= */
	char *policies_dir;   /* policies-dir= (a missing one is an empty one) */
	char *secrets_file;   /* secretsfile= (a missing one is an empty one) */
	bool watch;	      /* watch=yes: a changed file is loaded by itself */
	char *pki_dir;	      /* pki-dir=: certs/, private/, cacerts/ and crls/ */
	bool crl_strict;      /* crl-strict=yes: no certificate without its CA's valid list */
	uint32_t shunt_lifetime_ms; /* shuntlifetime=, of conns that have none of their own */
};

struct conf {
	struct conf_setup setup;
	struct resolver_config resolver;
	struct ike_config ike;
	struct policy_config policy;
	/* All sections in one text, for conf_save(). */
	char *flat;
	/* Every file that was read, for take-over and watching; the first is the main one. */
	char **files;
	size_t file_count;
};

/*
 * Loads `path` with everything that it includes and names. On any error the
 * result is NULL and the report says all of what is wrong (the rest of the
 * files is still checked). Warnings alone give a configuration.
 * Relative includes are relative to the including file. Files under
 * /etc/ipsec.d that a seed configuration includes are read as they stand.
 */
struct conf *conf_load(const char *path, struct conf_report *report);
void conf_free(struct conf *conf);

/* Lines that are in both have the ids that they had in the old one: what stands for them stays (C4). */
void conf_keep_numbers(struct conf *conf, const struct conf *old);

/*
 * Keeps a configuration that has loaded, so that the next start can use it if
 * the files are broken then (C2): writes `folder` (oe.conf, policies/,
 * oe.secrets; root's eyes only) as a whole or not at all. 0 or -errno.
 */
int conf_save(const struct conf *conf, const char *folder);
/* What is to be loaded of such a folder; caller frees. */
char *conf_saved_path(const char *folder);

/* The keyword table, for the manual page and its lint test: one line an option. */
struct conf_keyword_info {
	const char *section; /* "config setup" or "conn" */
	const char *name;
	const char *values; /* "hold | pass | drop" or "SECONDS" */
	const char *default_text;
	const char *help; /* one sentence */
	bool no_effect; /* accepted with a warning (C1) */
};
size_t conf_keyword_count(void);
bool conf_keyword_info(size_t index, struct conf_keyword_info *out);

#endif
