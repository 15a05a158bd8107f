/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of conf/: a folder of its own for each program, files in it, and
 * loading with the report at hand. files_done() takes all away.
 */
#ifndef T_UNIT_CONF_FILES_H
#define T_UNIT_CONF_FILES_H

#include "conf/conf.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "t/tap.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char files_root[] = "/tmp/oe-conf-XXXXXX";
static struct conf_report files_report;

__attribute__((unused)) static void files_begin(void)
{
	if (!mkdtemp(files_root))
		abort();
}

/* The path of a file in the folder; valid until the fourth call after it. */
static const char *files_path(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", files_root, name);
	return path;
}

/* With the folder that it is in. */
static FILE *files_open(const char *name)
{
	const char *path = files_path(name);
	char *folder = mem_strdup(path);
	FILE *file;

	*strrchr(folder, '/') = '\0';
	mkdir(folder, 0700);
	free(folder);
	file = fopen(path, "we");
	if (!file)
		abort();
	fchmod(fileno(file), 0600);
	return file;
}

/* The text; "@" stands for the folder when it comes as "@/". */
static char *files_text(const char *text)
{
	struct strbuf out = {0};

	for (; *text; text++) {
		if (text[0] == '@' && text[1] == '/')
			strbuf_add(&out, files_root, strlen(files_root));
		else
			strbuf_add(&out, text, 1);
	}
	return strbuf_take(&out);
}

/* Writes a file, the text as files_text() has it. */
static void files_write(const char *name, const char *text)
{
	FILE *file = files_open(name);
	char *whole = files_text(text);

	fputs(whole, file);
	free(whole);
	fclose(file);
}

/* As they are: NULs, no text at all. */
__attribute__((unused)) static void files_write_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *file = files_open(name);

	if (fwrite(bytes, 1, len, file) != len)
		abort();
	fclose(file);
}

/* Loads it afresh; every message is shown as a diagnostic. */
static struct conf *files_load(const char *name)
{
	struct conf *conf;

	conf_report_clear(&files_report);
	conf = conf_load(files_path(name), &files_report);
	for (size_t i = 0; i < files_report.count; i++) {
		char *text = conf_message_format(&files_report.messages[i]);

		diag("%s%s", files_report.messages[i].severity == CONF_WARNING ? "warning: " : "", text);
		free(text);
	}
	return conf;
}

/* `text` as oe.conf, beside a folder policies and the file oe.secrets. */
#define FILES_HEAD "config setup\n\tpolicies-dir=@/policies\n\tsecretsfile=@/oe.secrets\n"
__attribute__((unused)) static struct conf *files_load_text(const char *text)
{
	char *whole = mem_printf(FILES_HEAD "%s", text);
	struct conf *conf;

	files_write("oe.conf", whole);
	free(whole);
	conf = files_load("oe.conf");
	return conf;
}

/* True when a message of this severity, with its place, contains the text. */
__attribute__((unused)) static bool files_said(enum conf_severity severity, const char *part)
{
	for (size_t i = 0; i < files_report.count; i++) {
		char *text = conf_message_format(&files_report.messages[i]);
		bool found = files_report.messages[i].severity == severity && strstr(text, part);

		free(text);
		if (found)
			return true;
	}
	return false;
}

__attribute__((unused)) static size_t files_warnings(void)
{
	return files_report.count - files_report.errors - files_report.defects;
}

__attribute__((unused)) static const struct policy_conn *files_group(
	const struct conf *conf, const char *name)
{
	for (size_t i = 0; conf && i < conf->policy.conn_count; i++) {
		if (strcmp(conf->policy.conns[i].name, name) == 0)
			return &conf->policy.conns[i];
	}
	return NULL;
}

/* How the group negotiates; NULL when it never does. */
__attribute__((unused)) static const struct ike_conn *files_ike(
	const struct conf *conf, const char *name)
{
	const struct policy_conn *group = files_group(conf, name);

	return group && group->ike_conn < conf->ike.conn_count ? &conf->ike.conns[group->ike_conn]
							       : NULL;
}

static int files_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

__attribute__((unused)) static int files_done(void)
{
	nftw(files_root, files_remove, 8, FTW_DEPTH | FTW_PHYS);
	conf_report_clear(&files_report);
	return tap_done();
}

#endif
