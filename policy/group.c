/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each group demands: the table of RULES.md G, in one place (line.h). */
#include "policy/line.h"

#include <string.h>

static const struct policy_traits groups[POLICY_GROUPS] = {
	[POLICY_BLOCK] = {.name = "block", .word = "never", .drops = true, .guards_inbound = true},
	[POLICY_PRIVATE] = {.name = "private",
		.word = "MUST",
		.initiates = true,
		.accepts = true,
		.traps = true,
		.guards_inbound = true},
	[POLICY_PRIVATE_OR_CLEAR] = {.name = "private-or-clear",
		.word = "SHOULD",
		.initiates = true,
		.accepts = true,
		.traps = true,
		.may_pass = true},
	[POLICY_CLEAR_OR_PRIVATE] = {.name = "clear-or-private",
		.word = "MAY",
		.accepts = true,
		.may_pass = true},
	[POLICY_CLEAR] = {.name = "clear", .word = "MUST NOT", .may_pass = true},
};

const struct policy_traits *policy_traits(enum policy_group group)
{
	return &groups[group];
}

bool policy_group_by_name(const char *name, enum policy_group *out)
{
	for (int i = 0; i < POLICY_GROUPS; i++) {
		if (strcmp(groups[i].name, name) == 0) {
			*out = (enum policy_group)i;
			return true;
		}
	}
	return false;
}
