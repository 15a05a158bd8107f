/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oe-resolverd: which of its runs this is. The service itself is daemon.c. */
#include "daemon/daemon.h"
#include "daemon/load.h"
#include "daemon/modes.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "daemon/random.h"
#include "lib/hash.h"

#include <stdio.h>

static int check(const char *config_path)
{
	struct conf *conf = load_configuration(config_path, NULL, NULL);

	conf_free(conf);
	return conf ? 0 : 1;
}

/* The runs that touch the kernel. */
static int run_privileged(const struct options *options)
{
	if (!privileges_enough()) {
		fputs("oe-resolverd: this needs root (CAP_NET_ADMIN)\n", stderr);
		return 1;
	}
	if (options->mode == RUN_CLOSED)
		return mode_closed(options->config);
	if (options->mode == RUN_RELEASE)
		return mode_release();
	return options->mode == RUN_FLUSH ? mode_flush() : daemon_run(options->config);
}

int main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv);
	uint8_t key[HASH_KEY_LEN];

	/* Names and addresses that others choose must not choose their places in our tables. */
	random_fill(NULL, key, sizeof(key));
	hash_set_key(key);

	switch (options.mode) {
	case RUN_DAEMON:
	case RUN_CLOSED:
	case RUN_RELEASE:
	case RUN_FLUSH:
		return run_privileged(&options);
	case RUN_CHECK:
		return check(options.config);
	case RUN_VERSION:
		options_print_version();
		return 0;
	case RUN_HELP:
		options_print_help();
		return 0;
	case RUN_USAGE:
		break;
	}
	return 2;
}
