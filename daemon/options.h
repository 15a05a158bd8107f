/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of oe-resolverd. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

enum run_mode {
	RUN_DAEMON,
	RUN_CHECK,   /* -n */
	RUN_VERSION, /* -V */
	RUN_HELP,
	RUN_CLOSED,  /* --closed: rule K5 */
	RUN_RELEASE, /* --release: rule K6 */
	RUN_FLUSH,   /* --flush: rule K5 */
	RUN_USAGE,   /* wrong usage; a message has been printed */
};

struct options {
	enum run_mode mode;
	const char *config; /* -c FILE */
};

struct options options_parse(int argc, char **argv);
void options_print_help(void);
void options_print_version(void);

#endif
