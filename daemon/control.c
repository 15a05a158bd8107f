/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket (control.h). A client is one connection with one command
 * at a time; a command that takes time (flush, trace --now) finds its client
 * again by id, for the client may have gone.
 */
#include "config.h"

#include "daemon/control.h"

#include "daemon/daemon.h"
#include "daemon/lookup.h"
#include "daemon/report.h"
#include "daemon/trace.h"
#include "daemon/trigger.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#define MAX_CLIENTS 32
#define MAX_REQUEST 65536

struct client {
	struct control *control;
	uint64_t id;
	int fd;
	struct loop_io io;
	struct strbuf in;
	struct strbuf out;
	size_t sent;
	bool busy; /* a command is under way */
	struct lookup *lookup;
	char *trace_name;
	struct client *prev, *next;
};

/* Owned by the daemon. */
struct control {
	struct daemon *daemon;
	char *path;
	int fd;
	struct loop_io io;
	struct client *clients;
	uint64_t last_id;
	size_t client_count;
};

static void client_free(struct client *client)
{
	struct control *control = client->control;

	loop_io_stop(control->daemon->loop, &client->io);
	lookup_cancel(client->lookup);
	close(client->fd);
	strbuf_clear(&client->in);
	strbuf_clear(&client->out);
	free(client->trace_name);
	DL_DELETE(control->clients, client);
	control->client_count--;
	free(client);
}

static struct client *find_client(struct control *control, uint64_t id)
{
	struct client *client;

	DL_FOREACH (control->clients, client) {
		if (client->id == id)
			return client;
	}
	return NULL;
}

/* Sends what it can; false when the client is gone (and freed). */
static bool flush_out(struct client *client)
{
	while (client->sent < client->out.len) {
		ssize_t sent = send(client->fd, client->out.text + client->sent,
			client->out.len - client->sent, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (sent < 0) {
			client_free(client);
			return false;
		}
		client->sent += (size_t)sent;
	}
	if (client->sent == client->out.len) {
		strbuf_clear(&client->out);
		client->sent = 0;
	}
	loop_io_events(client->control->daemon->loop, &client->io,
		client->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return true;
}

/* Answers the command under way; takes the reference. */
static void reply(struct client *client, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	strbuf_printf(&client->out, "%s\n", text ? text : "{\"ok\":false,\"error\":\"internal\"}");
	free(text);
	json_decref(answer);
	client->busy = false;
}

static void reply_result(struct client *client, json_t *result)
{
	reply(client, json_pack("{s:b,s:o}", "ok", 1, "result", result));
}

static void reply_error(struct client *client, const char *error)
{
	reply(client, json_pack("{s:b,s:s}", "ok", 0, "error", error));
}

/* --- commands --------------------------------------------------------------------------------- */

static void do_status(struct client *client, const json_t *request)
{
	(void)request;
	reply_result(client, report_status(client->control->daemon));
}

static void do_peers(struct client *client, const json_t *request)
{
	(void)request;
	reply_result(client, report_peers(client->control->daemon));
}

static void do_version(struct client *client, const json_t *request)
{
	(void)request;
	reply_result(client, json_pack("{s:s}", "version", PACKAGE_VERSION));
}

static json_t *lines_of(const char *text)
{
	json_t *array = json_array();

	while (*text) {
		size_t len = strcspn(text, "\n");

		json_array_append_new(array, json_stringn(text, len));
		text += len + (text[len] == '\n');
	}
	return array;
}

static json_t *reservations(const struct daemon *daemon)
{
	json_t *array = json_array();

	for (size_t i = 0; i < daemon->warning_count; i++)
		json_array_append_new(array, json_string(daemon->warnings[i]));
	return array;
}

static void do_reload(struct client *client, const json_t *request)
{
	char *why = daemon_reload(client->control->daemon);

	(void)request;
	if (why)
		reply(client, json_pack("{s:b,s:s,s:o}", "ok", 0, "error",
				      "the configuration does not load; the running one stays",
				      "messages", lines_of(why)));
	else
		reply_result(client, json_pack("{s:b,s:o}", "reloaded", 1, "warnings",
					     reservations(client->control->daemon)));
	free(why);
}

/* What is done to the tunnels with one host; `name` is that of their number in the answer. */
static void do_to_host(struct client *client, const json_t *request, const char *name,
	size_t (*run)(struct trigger *trigger, const struct addr *remote))
{
	const char *text = json_string_value(json_object_get(request, "address"));
	struct addr addr;

	if (!text || !addr_parse(text, &addr)) {
		reply_error(client, "not an address");
		return;
	}
	reply_result(client,
		json_pack("{s:I}", name, (json_int_t)run(client->control->daemon->trigger, &addr)));
}

static void do_down(struct client *client, const json_t *request)
{
	do_to_host(client, request, "closed", trigger_down);
}

static void do_rekey(struct client *client, const json_t *request)
{
	do_to_host(client, request, "rekeying", trigger_rekey);
}

/* A request to the data plane on behalf of a client that may go meanwhile. */
struct pending {
	struct control *control;
	uint64_t client;
};

static void flushed(void *arg, int error)
{
	struct pending *pending = arg;
	struct client *client = find_client(pending->control, pending->client);

	free(pending);
	if (!client)
		return;
	if (error)
		reply_error(client, strerror(-error));
	else
		reply_result(client, json_pack("{s:b}", "flushed", 1));
	flush_out(client);
}

static void do_flush(struct client *client, const json_t *request)
{
	struct pending *pending = mem_new(struct pending);

	(void)request;
	pending->control = client->control;
	pending->client = client->id;
	log_warning("flush: every policy goes, nothing is protected until the next reload");
	trigger_flush(client->control->daemon->trigger, flushed, pending);
}

static void reply_trace(struct client *client, const char *name)
{
	json_t *trace = trace_find(client->control->daemon->trace, name);
	char *why;

	if (trace) {
		reply_result(client, trace);
		return;
	}
	why = mem_printf("no lookup of %s is remembered (--now makes one)", name);
	reply_error(client, why);
	free(why);
}

static void looked_up(void *arg, int error)
{
	struct client *client = arg;

	client->lookup = NULL;
	if (error && error != -ETIMEDOUT)
		reply_error(client, strerror(-error));
	else
		reply_trace(client, client->trace_name);
	flush_out(client);
}

/* A listener on a wildcard address is asked at the loopback one. */
static struct endpoint own_listener(const struct daemon *daemon)
{
	struct endpoint server = daemon->conf->resolver.listen[0];

	if (addr_is_any(&server.addr))
		addr_parse(server.addr.family == ADDR_IPV4 ? "127.0.0.1" : "::1", &server.addr);
	return server;
}

static void do_trace(struct client *client, const json_t *request)
{
	struct daemon *daemon = client->control->daemon;
	const char *name = json_string_value(json_object_get(request, "name"));
	const char *type = json_string_value(json_object_get(request, "type"));
	struct endpoint server = own_listener(daemon);
	size_t len = name ? strlen(name) : 0;
	int error = 0;

	if (len == 0) {
		reply_error(client, "no name");
		return;
	}
	free(client->trace_name);
	client->trace_name = mem_strndup(name, len > 1 && name[len - 1] == '.' ? len - 1 : len);
	if (!json_is_true(json_object_get(request, "now"))) {
		reply_trace(client, client->trace_name);
		return;
	}
	client->lookup = lookup_start(
		daemon->loop, &server, name, type ? type : "A", looked_up, client, &error);
	if (!client->lookup)
		reply_error(client, strerror(-error));
}

static const struct {
	const char *name;
	void (*run)(struct client *client, const json_t *request);
} commands[] = {
	{"status", do_status},
	{"peers", do_peers},
	{"trace", do_trace},
	{"reload", do_reload},
	{"down", do_down},
	{"rekey", do_rekey},
	{"flush", do_flush},
	{"version", do_version},
};

static void run_request(struct client *client, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "command"));

	client->busy = true;
	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(client, request);
			json_decref(request);
			return;
		}
	}
	reply_error(client, request ? "unknown command" : "not a JSON object");
	json_decref(request);
}

/* --- connections ---------------------------------------------------------------------------------- */

/* Runs the complete lines that have come, one command at a time. */
static void run_lines(struct client *client)
{
	char *end;

	while (!client->busy && client->in.len &&
		(end = memchr(client->in.text, '\n', client->in.len))) {
		size_t len = (size_t)(end - client->in.text);
		char *line = mem_strndup(client->in.text, len);
		struct strbuf rest = {0};

		strbuf_add(&rest, end + 1, client->in.len - len - 1);
		strbuf_clear(&client->in);
		client->in = rest;
		run_request(client, line, len);
		free(line);
	}
}

static void client_ready(struct loop_io *io, int events)
{
	struct client *client = io->arg;
	char buffer[4096];
	ssize_t got;

	if (events & LOOP_READ) {
		got = recv(client->fd, buffer, sizeof(buffer), 0);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
			client->in.len > MAX_REQUEST) {
			client_free(client);
			return;
		}
		if (got > 0)
			strbuf_add(&client->in, buffer, (size_t)got);
		run_lines(client);
	}
	flush_out(client);
}

static void accept_ready(struct loop_io *io, int events)
{
	struct control *control = io->arg;
	struct client *client;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (control->client_count >= MAX_CLIENTS) {
		close(fd);
		return;
	}
	client = mem_new(struct client);
	client->control = control;
	client->id = ++control->last_id;
	client->fd = fd;
	client->io = (struct loop_io){.ready = client_ready, .arg = client};
	DL_APPEND(control->clients, client);
	control->client_count++;
	loop_io_start(control->daemon->loop, &client->io, fd, LOOP_READ);
}

static void make_folder(const char *path)
{
	char *copy = mem_strdup(path);

	mkdir(dirname(copy), 0755);
	free(copy);
}

static bool fill_address(const char *path, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(out->sun_path))
		return false;
	strcpy(out->sun_path, path);
	return true;
}

bool control_is_open(const char *path)
{
	struct sockaddr_un addr;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* EAGAIN: it is too busy, or hangs; it lives. */
	bool alive = fd >= 0 && fill_address(path, &addr) &&
		     (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

/* A socket file that nobody listens on is a dead daemon's; a live one is not ours to take. */
static int listen_at(const char *path)
{
	struct sockaddr_un addr;
	int fd, error = 0;

	if (!fill_address(path, &addr))
		return -ENAMETOOLONG;
	make_folder(path);
	if (control_is_open(path))
		return -EADDRINUSE;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || chmod(path, 0660) != 0 ||
		listen(fd, MAX_CLIENTS) != 0)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

struct control *control_open(struct daemon *daemon, const char *path, int *error)
{
	int fd = listen_at(path);
	struct control *control;

	if (fd < 0) {
		*error = fd;
		log_error("control socket %s: %s%s", path, strerror(-fd),
			fd == -EADDRINUSE ? " (another oe-resolverd runs)" : "");
		return NULL;
	}
	control = mem_new(struct control);
	control->daemon = daemon;
	control->path = mem_strdup(path);
	control->fd = fd;
	control->io = (struct loop_io){.ready = accept_ready, .arg = control};
	loop_io_start(daemon->loop, &control->io, fd, LOOP_READ);
	return control;
}

void control_close(struct control *control)
{
	struct client *client, *next;

	if (!control)
		return;
	DL_FOREACH_SAFE (control->clients, client, next)
		client_free(client);
	loop_io_stop(control->daemon->loop, &control->io);
	close(control->fd);
	unlink(control->path);
	free(control->path);
	free(control);
}
