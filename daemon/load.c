/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the configuration (load.h). */
#include "daemon/load.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Not below statedir=: files that do not load cannot say where that is. */
#define LAST_GOOD OE_STATEDIR "/last-good"

struct conf *load_configuration(const char *path, char ***texts, size_t *count)
{
	struct conf_report report = {0};
	struct conf *conf = conf_load(path, &report);
	char **list = mem_zalloc(report.count * sizeof(*list));

	for (size_t i = 0; i < report.count; i++) {
		const struct conf_message *message = &report.messages[i];

		list[i] = conf_message_format(message);
		log_line(message->severity == CONF_WARNING ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "%s",
			list[i]);
	}
	if (texts) {
		*texts = list;
		*count = report.count;
	} else {
		load_free_texts(list, report.count);
	}
	conf_report_clear(&report);
	return conf;
}

void load_free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

struct conf *load_or_last(const char *path, char ***texts, size_t *count, char **degraded)
{
	struct conf *conf = load_configuration(path, texts, count);
	char *saved;

	*degraded = NULL;
	if (conf)
		return conf;
	saved = conf_saved_path(LAST_GOOD);
	conf = load_configuration(saved, NULL, NULL);
	if (conf) {
		*degraded = mem_printf(
			"%s does not load; the last configuration that did is in use (%s)", path, saved);
		log_error("%s", *degraded);
	}
	free(saved);
	return conf;
}

void load_keep(const struct conf *conf)
{
	int error;

	/* Made by systemd as a rule. */
	mkdir(OE_STATEDIR, 0700);
	error = conf_save(conf, LAST_GOOD);
	if (error)
		log_warning("cannot keep the configuration in " LAST_GOOD ": %s", strerror(-error));
}
