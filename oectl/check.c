/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `oectl check` (check.h). */
#include "oectl/check.h"

#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

static const char *prefix(enum conf_severity severity)
{
	switch (severity) {
	case CONF_ERROR:
		return "";
	case CONF_DEFECT:
		return "defect: ";
	case CONF_WARNING:
		return "warning: ";
	}
	return "";
}

int check_configuration(const char *path)
{
	struct conf_report report = {0};
	struct conf *conf = conf_load(path, &report);
	int status;

	for (size_t i = 0; i < report.count; i++) {
		char *text = conf_message_format(&report.messages[i]);

		printf("%s%s\n", prefix(report.messages[i].severity), text);
		free(text);
	}
	printf("%s: %zu errors, %zu defects, %zu warnings\n", path, report.errors, report.defects,
		report.count - report.errors - report.defects);
	status = conf && report.defects == 0 ? 0 : 1;
	conf_report_clear(&report);
	conf_free(conf);
	return status;
}
