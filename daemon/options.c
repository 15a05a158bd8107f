/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line (options.h). */
#include "config.h"

#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, 'n'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{"closed", no_argument, NULL, RUN_CLOSED},
	{"release", no_argument, NULL, RUN_RELEASE},
	{"flush", no_argument, NULL, RUN_FLUSH},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: oe-resolverd [-c FILE] [-n] [-V] [--closed | --release | --flush]\n";

void options_print_help(void)
{
	fputs(usage, stdout);
	puts("\n"
	     "  -c, --config FILE  the configuration (" OE_SYSCONFDIR "/oe.conf)\n"
	     "  -n, --check        check the configuration and exit with 0 or 1\n"
	     "  -V, --version      print the version\n"
	     "      --closed       install what keeps private and block closed, and exit\n"
	     "      --release      open what a dead daemon left shut, but not private and block\n"
	     "      --flush        open everything, on purpose\n"
	     "\n"
	     "Without one of these it stays in the foreground. SIGHUP reloads, SIGTERM stops.");
}

void options_print_version(void)
{
	puts("oe-resolverd " PACKAGE_VERSION);
}

static void set_mode(struct options *options, enum run_mode mode)
{
	if (options->mode != RUN_DAEMON && options->mode != mode) {
		fputs("oe-resolverd: only one of -n, -V, --closed, --release and --flush\n", stderr);
		mode = RUN_USAGE;
	}
	if (options->mode != RUN_USAGE)
		options->mode = mode;
}

struct options options_parse(int argc, char **argv)
{
	struct options options = {.mode = RUN_DAEMON, .config = OE_SYSCONFDIR "/oe.conf"};
	int letter;

	while ((letter = getopt_long(argc, argv, "c:nVh", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			options.config = optarg;
			break;
		case 'n':
			set_mode(&options, RUN_CHECK);
			break;
		case 'V':
			set_mode(&options, RUN_VERSION);
			break;
		case 'h':
			set_mode(&options, RUN_HELP);
			break;
		case RUN_CLOSED:
		case RUN_RELEASE:
		case RUN_FLUSH:
			set_mode(&options, (enum run_mode)letter);
			break;
		default:
			options.mode = RUN_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "oe-resolverd: unexpected argument '%s'\n", argv[optind]);
		options.mode = RUN_USAGE;
	}
	if (options.mode == RUN_USAGE)
		fputs(usage, stderr);
	return options;
}
