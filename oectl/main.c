/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oectl: control and debugging of oe-resolverd. Exit status: 0 done, 1 failed,
 * 2 wrong usage.
 */
#include "config.h"

#include "lib/mem.h"
#include "oectl/check.h"
#include "oectl/client.h"
#include "oectl/import.h"
#include "oectl/show.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE 2

/* Longer than a lookup or a flush of 100,000 lines takes. */
#define TIMEOUT_S 60
#define MAX_TIMEOUT_S 86400

struct call {
	const char *socket;
	unsigned timeout_s;
	bool json, now;
	const char *type;
	const char *passphrase_file, *name, *pki_dir; /* of import */
	char **words; /* after the command */
	int count;
};

struct command {
	const char *name;
	int least, most; /* words that follow */
	int (*run)(const struct command *command, const struct call *call);
	void (*show)(const json_t *result, struct strbuf *out);
};

static const char usage[] =
	"usage: oectl [-s SOCKET] [--timeout SECONDS] [--json] COMMAND …\n"
	"\n"
	"  status                       how the daemon is\n"
	"  peers                        every host that has a state\n"
	"  trace NAME [--now] [--type A|AAAA]\n"
	"                               the last lookup's timeline; --now makes one first\n"
	"  check [FILE]                 what is wrong with a configuration\n"
	"  import FILE.p12 [--passphrase-file FILE] [--name NAME] [--pki-dir DIRECTORY]\n"
	"                               certificate, key and CA to where oe.conf finds them\n"
	"  reload                       read the configuration again\n"
	"  down ADDRESS                 end the tunnels with a host\n"
	"  rekey ADDRESS                replace the keys of the tunnels with a host\n"
	"  flush                        open everything, on purpose\n"
	"  version                      of oectl and of the daemon\n";

/* --- running ----------------------------------------------------------------------------------- */

static int fail(const json_t *answer)
{
	const json_t *messages = json_object_get(answer, "messages"), *message;
	const char *error = json_string_value(json_object_get(answer, "error"));
	size_t index;

	json_array_foreach (messages, index, message)
		fprintf(stderr, "%s\n", json_string_value(message));
	fprintf(stderr, "oectl: %s\n", error ? error : "failed");
	return 1;
}

static void print_result(const struct command *command, const struct call *call, const json_t *result)
{
	struct strbuf out = {0};

	if (call->json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (command->show) {
		command->show(result, &out);
		if (out.text)
			fputs(out.text, stdout);
	}
	strbuf_clear(&out);
}

static int ask(const struct command *command, const struct call *call, json_t *request)
{
	json_t *answer = client_ask(call->socket, call->timeout_s, request);
	int status = 1;

	if (answer && json_is_true(json_object_get(answer, "ok"))) {
		print_result(command, call, json_object_get(answer, "result"));
		status = 0;
	} else if (answer) {
		status = fail(answer);
	}
	json_decref(answer);
	return status;
}

static int run_plain(const struct command *command, const struct call *call)
{
	return ask(command, call, json_pack("{s:s}", "command", command->name));
}

static int run_trace(const struct command *command, const struct call *call)
{
	return ask(command, call,
		json_pack("{s:s,s:s,s:b,s:s}", "command", "trace", "name", call->words[0], "now",
			call->now, "type", call->type));
}

static int run_to_host(const struct command *command, const struct call *call)
{
	return ask(command, call,
		json_pack("{s:s,s:s}", "command", command->name, "address", call->words[0]));
}

static int run_check(const struct command *command, const struct call *call)
{
	(void)command;
	return check_configuration(call->count ? call->words[0] : OE_SYSCONFDIR "/oe.conf", call->json);
}

static int run_import(const struct command *command, const struct call *call)
{
	(void)command;
	return import_bundle(call->words[0], call->passphrase_file, call->name, call->pki_dir);
}

static void show_version(const json_t *result, struct strbuf *out)
{
	const char *version = json_string_value(json_object_get(result, "version"));

	strbuf_printf(out, "oe-resolverd %s\n", version ? version : "?");
}

static int run_version(const struct command *command, const struct call *call)
{
	if (!call->json)
		printf("oectl %s\n", PACKAGE_VERSION);
	return run_plain(command, call);
}

static void show_down(const json_t *result, struct strbuf *out)
{
	strbuf_printf(out, "closed %lld\n",
		(long long)json_integer_value(json_object_get(result, "closed")));
}

static void show_rekey(const json_t *result, struct strbuf *out)
{
	strbuf_printf(out, "rekeying %lld\n",
		(long long)json_integer_value(json_object_get(result, "rekeying")));
}

static void show_reload(const json_t *result, struct strbuf *out)
{
	const json_t *warning;
	size_t index;

	json_array_foreach (json_object_get(result, "warnings"), index, warning)
		strbuf_printf(out, "%s\n", json_string_value(warning) ? json_string_value(warning) : "?");
}

static const struct command commands[] = {
	{"status", 0, 0, run_plain, show_status},
	{"peers", 0, 0, run_plain, show_peers},
	{"trace", 1, 1, run_trace, show_trace},
	{"check", 0, 1, run_check, NULL},
	{"import", 1, 1, run_import, NULL},
	{"reload", 0, 0, run_plain, show_reload},
	{"down", 1, 1, run_to_host, show_down},
	{"rekey", 1, 1, run_to_host, show_rekey},
	{"flush", 0, 0, run_plain, NULL},
	{"version", 0, 0, run_version, show_version},
};

/* --- the command line ----------------------------------------------------------------------------- */

static int wrong_usage(const char *format, const char *word)
{
	fprintf(stderr, format, word);
	fputs(usage, stderr);
	return USAGE;
}

static const struct option options[] = {
	{"socket", required_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 'T'},
	{"json", no_argument, NULL, 'j'},
	{"now", no_argument, NULL, 'n'},
	{"type", required_argument, NULL, 't'},
	{"passphrase-file", required_argument, NULL, 'p'},
	{"name", required_argument, NULL, 'N'},
	{"pki-dir", required_argument, NULL, 'P'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int run_words(const struct call *call)
{
	const char *name = call->count ? call->words[0] : NULL;
	struct call rest = *call;

	if (!name)
		return wrong_usage("oectl: no command%s\n", "");
	rest.words++;
	rest.count--;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, name) != 0)
			continue;
		if (rest.count < command->least || rest.count > command->most)
			return wrong_usage("oectl: %s: wrong number of words\n", name);
		return command->run(command, &rest);
	}
	return wrong_usage("oectl: unknown command '%s'\n", name);
}

static bool take_seconds(const char *text, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*out = (unsigned)value;
	return *text >= '0' && *text <= '9' && !*end && value > 0 && value <= MAX_TIMEOUT_S;
}

/* The exit status when no command is to be run, else -1. */
static int take_option(int letter, struct call *call)
{
	switch (letter) {
	case 's':
		call->socket = optarg;
		break;
	case 'T':
		if (!take_seconds(optarg, &call->timeout_s))
			return wrong_usage("oectl: --timeout %s: no number of seconds\n", optarg);
		break;
	case 'j':
		call->json = true;
		break;
	case 'n':
		call->now = true;
		break;
	case 't':
		call->type = optarg;
		break;
	case 'p':
		call->passphrase_file = optarg;
		break;
	case 'N':
		call->name = optarg;
		break;
	case 'P':
		call->pki_dir = optarg;
		break;
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'V':
		printf("oectl %s\n", PACKAGE_VERSION);
		return 0;
	default:
		return wrong_usage("%s", "");
	}
	return -1;
}

static int run_command_line(int argc, char **argv)
{
	struct call call = {.socket = OE_RUNDIR "/control.sock",
		.timeout_s = TIMEOUT_S,
		.type = "A",
		.pki_dir = OE_SYSCONFDIR "/pki"};
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv, "s:hV", options, NULL)) != -1)
		status = take_option(letter, &call);
	call.words = argv + optind;
	call.count = argc - optind;
	return status < 0 ? run_words(&call) : status;
}

int main(int argc, char **argv)
{
	int status = run_command_line(argc, argv);

	if (fflush(stdout) == 0)
		return status;
	perror("oectl: cannot print");
	return status ? status : 1;
}
