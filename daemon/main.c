/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oe-resolverd: which of its runs this is. The service itself is daemon.c. */
#include "daemon/daemon.h"
#include "daemon/load.h"
#include "daemon/modes.h"
#include "daemon/options.h"
#include "daemon/random.h"
#include "lib/hash.h"

static int check(const char *config_path)
{
	struct conf *conf = load_configuration(config_path, NULL, NULL);

	conf_free(conf);
	return conf ? 0 : 1;
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
		return daemon_run(options.config);
	case RUN_CHECK:
		return check(options.config);
	case RUN_VERSION:
		options_print_version();
		return 0;
	case RUN_HELP:
		options_print_help();
		return 0;
	case RUN_CLOSED:
		return mode_closed(options.config);
	case RUN_RELEASE:
		return mode_release();
	case RUN_FLUSH:
		return mode_flush();
	case RUN_USAGE:
		break;
	}
	return 2;
}
