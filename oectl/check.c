/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `oectl check` (check.h). */
#include "oectl/check.h"

#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

int check_configuration(const char *path)
{
	struct conf_report report = {0};
	struct conf *conf = conf_load(path, &report);

	for (size_t i = 0; i < report.count; i++) {
		char *text = conf_message_format(&report.messages[i]);

		printf("%s%s\n", report.messages[i].severity == CONF_WARNING ? "warning: " : "", text);
		free(text);
	}
	printf("%s: %zu errors, %zu warnings\n", path, report.errors, report.count - report.errors);
	conf_report_clear(&report);
	conf_free(conf);
	return conf ? 0 : 1;
}
