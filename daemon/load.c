/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the configuration (load.h). */
#include "daemon/load.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <stdlib.h>

struct conf *load_configuration(const char *path, char ***texts, size_t *count)
{
	struct conf_report report = {0};
	struct conf *conf = conf_load(path, &report);
	char **list = mem_zalloc(report.count * sizeof(*list));

	for (size_t i = 0; i < report.count; i++) {
		const struct conf_message *message = &report.messages[i];

		list[i] = conf_message_format(message);
		log_line(message->severity == CONF_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s",
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
