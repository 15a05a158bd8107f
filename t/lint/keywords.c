/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the table of options for t/lint/options.t: section, name, "effect" or "none", by tabs. */
#include "conf/conf.h"

#include <stdio.h>

int main(void)
{
	struct conf_keyword_info info;

	for (size_t i = 0; conf_keyword_info(i, &info); i++)
		printf("%s\t%s\t%s\n", info.section, info.name, info.no_effect ? "none" : "effect");
	return 0;
}
