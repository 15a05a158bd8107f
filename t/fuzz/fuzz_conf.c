/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The readers of configuration: the first byte chooses between ipsec.conf, a
 * group file and secrets; the rest is the text. No file is opened.
 */
#include "conf/internal.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_conf(struct source *source, char *text, size_t len)
{
	struct conf *conf = mem_new(struct conf);

	parse_text(source, "fuzz.conf", text, len, false);
	for (size_t i = 0; i < source->count; i++)
		check_params(source->report, &source->sections[i]);
	sections_resolve(source);
	build_setup(source, conf);
	build_conns(source, conf);
	conf_free(conf);
}

static void read_group(struct source *source, char *text, size_t len)
{
	struct line_list lines = {0};
	char *copy = mem_dup(text, len + 1);

	group_text(source->report, "fuzz", copy, len, 0, &lines);
	/* Every line has a slot below the bound that the kernel's priorities rely on (P1). */
	for (size_t j = 0; j < lines.count; j++) {
		if (policy_line_slot(&lines.lines[j]) >= POLICY_SLOTS)
			abort();
	}
	for (size_t j = 0; j < lines.name_count; j++)
		free(lines.names[j].pattern);
	free(lines.names);
	free(lines.lines);
	free(copy);
}

static void read_secrets(struct source *source, char *text, size_t len)
{
	struct secrets secrets = {0};

	secrets_text(source, "fuzz.secrets", text, len, &secrets, false);
	psks_free(secrets.psks.psks, secrets.psks.count);
	psks_free(secrets.ppks.psks, secrets.ppks.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf_report report = {0};
	char **files = NULL;
	size_t file_count = 0;
	struct source source = {.report = &report, .files = &files, .file_count = &file_count};
	char *text;

	if (len == 0)
		return 0;
	text = mem_zalloc(len);
	memcpy(text, data + 1, len - 1);
	if (data[0] % 3 == 0)
		read_conf(&source, text, len - 1);
	else if (data[0] % 3 == 1)
		read_group(&source, text, len - 1);
	else
		read_secrets(&source, text, len - 1);
	for (size_t i = 0; i < report.count; i++)
		free(conf_message_format(&report.messages[i]));
	conf_report_clear(&report);
	sections_free(&source);
	free(text);
	return 0;
}
