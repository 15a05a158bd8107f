/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last configuration that loaded, kept for a start with broken files (C2).
 * It is an ordinary configuration in a folder of its own: all sections in one
 * file, copies of the group files, the secrets. The folder is made beside the
 * old one and then takes its place.
 */
#include "conf/internal.h"

#include "ike/id.h"
#include "lib/mem.h"
#include "lib/store.h"
#include "lib/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A copy has its own companions (write_sections). */
static bool is_companion(const struct section *section, const struct param *param)
{
	return !section->name && (strcmp(param->key, "policies-dir") == 0 ||
					 strcmp(param->key, "secretsfile") == 0);
}

static void add_param(struct strbuf *out, const struct param *param)
{
	/* Quotes within a value stand where they stood. */
	const char *quote = strchr(param->value, '"') ? "" : "\"";

	strbuf_printf(out, "\t%s=%s%s%s\n", param->key, quote, param->value, quote);
}

char *sections_flatten(const struct source *source)
{
	struct strbuf out = {0};

	for (size_t i = 0; i < source->count; i++) {
		const struct section *section = &source->sections[i];

		if (section->name)
			strbuf_printf(&out, "conn \"%s\"\n", section->name);
		else
			strbuf_printf(&out, "config setup\n");
		for (size_t j = 0; j < section->count; j++) {
			if (!is_companion(section, &section->params[j]))
				add_param(&out, &section->params[j]);
		}
	}
	return strbuf_take(&out);
}

char *conf_saved_path(const char *folder)
{
	return mem_printf("%s/oe.conf", folder);
}

static int write_file(const char *folder, const char *name, const char *text, size_t len)
{
	char *path = mem_printf("%s/%s", folder, name);
	int error = store_write(path, 0600, text, len, true);

	free(path);
	return error;
}

/* The sections, and where their companions are in this folder. */
static int write_sections(const struct conf *conf, const char *folder, const char *final)
{
	struct strbuf text = {0};
	int error;

	strbuf_printf(&text, "%s\nconfig setup\n\tpolicies-dir=\"%s/policies\"\n\tsecretsfile=\"%s/oe.secrets\"\n",
		conf->flat, final, final);
	error = write_file(folder, "oe.conf", text.text, text.len);
	strbuf_clear(&text);
	return error;
}

static int copy_group(const struct conf *conf, const char *folder, const char *name)
{
	char *path = mem_printf("%s/%s", conf->setup.policies_dir, name);
	char *target = mem_printf("policies/%s", name);
	size_t len;
	char *text = file_read(path, &len);
	/* A group without a file has no lines; a file that cannot be read has some. */
	int error = text ? write_file(folder, target, text, len) : errno == ENOENT ? 0 : -errno;

	free(text);
	free(path);
	free(target);
	return error;
}

static void add_hex(struct strbuf *text, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		strbuf_printf(text, "%02x", data[i]);
}

static void add_secret(struct strbuf *text, const struct ike_psk *psk)
{
	char id[IKE_ID_TEXT];

	for (size_t i = 0; i < psk->id_count; i++)
		strbuf_printf(text, "%s ",
			psk->ids[i].type == IKE_ID_TYPE_ANY ? "%any" : ike_id_format(&psk->ids[i], id));
	strbuf_printf(text, psk->name ? ": PPKS 0x" : ": PSK");
	add_hex(text, psk->name, psk->name_len);
	strbuf_printf(text, " 0x");
	add_hex(text, psk->secret.data, psk->secret.len);
	strbuf_printf(text, "\n");
}

static int write_secrets(const struct conf *conf, const char *folder)
{
	struct strbuf text = {0};
	int error;

	for (size_t i = 0; i < conf->ike.psk_count; i++)
		add_secret(&text, &conf->ike.psks[i]);
	for (size_t i = 0; i < conf->ike.ppk_count; i++)
		add_secret(&text, &conf->ike.ppks[i]);
	error = write_file(folder, "oe.secrets", text.text ? text.text : "", text.len);
	if (text.text)
		secret_wipe(text.text, text.room);
	strbuf_clear(&text);
	return error;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void remove_folder(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int fill_folder(const struct conf *conf, const char *folder, const char *final)
{
	char *policies = mem_printf("%s/policies", folder);
	int error = mkdir(folder, 0700) == 0 && mkdir(policies, 0700) == 0 ? 0 : -errno;

	free(policies);
	if (!error)
		error = write_sections(conf, folder, final);
	for (size_t i = 0; !error && i < conf->policy.conn_count; i++)
		error = copy_group(conf, folder, conf->policy.conns[i].name);
	return error ? error : write_secrets(conf, folder);
}

int conf_save(const struct conf *conf, const char *folder)
{
	char *fresh = mem_printf("%s.new", folder);
	int error;

	remove_folder(fresh);
	error = fill_folder(conf, fresh, folder);
	/* Exchanged, so that there is always one; where none was, a plain rename. */
	if (!error && renameat2(AT_FDCWD, fresh, AT_FDCWD, folder, RENAME_EXCHANGE) != 0 &&
		rename(fresh, folder) != 0)
		error = -errno;
	remove_folder(fresh);
	free(fresh);
	return error;
}
