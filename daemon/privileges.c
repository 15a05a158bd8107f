/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Privileges (privileges.h). */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

int privileges_drop(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) != 0 ||
		capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

bool privileges_enough(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}
