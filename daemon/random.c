/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random bytes from the kernel (random.h). */
#include "daemon/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void random_fill(void *arg, void *out, size_t len)
{
	uint8_t *at = out;

	(void)arg;
	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		/* Only a kernel without getrandom(2) fails; without randomness nothing here is safe. */
		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			at += got;
			len -= (size_t)got;
		}
	}
}
