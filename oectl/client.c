/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket (client.h): one JSON object a line, each way. */
#include "oectl/client.h"

#include "lib/strbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ANSWER (256u << 20)

static void explain(const char *path, int error, unsigned timeout_s)
{
	if (error == EAGAIN)
		fprintf(stderr, "oectl: no answer within %u s at %s\n", timeout_s, path);
	else if (error == 0)
		fputs("oectl: oe-resolverd gave no answer\n", stderr);
	else if (error == ENOENT || error == ECONNREFUSED)
		fprintf(stderr, "oectl: oe-resolverd is not running (no one answers at %s)\n", path);
	else if (error == EACCES || error == EPERM)
		fprintf(stderr, "oectl: %s: permission denied; try it as root\n", path);
	else
		fprintf(stderr, "oectl: %s: %s\n", path, strerror(error));
}

/* Connecting waits too, where those who came before were not accepted. */
static void limit(int fd, unsigned timeout_s)
{
	struct timeval limit = {.tv_sec = timeout_s};

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* -1 with errno. */
static int open_socket(const char *path, unsigned timeout_s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	limit(fd, timeout_s);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			text += sent;
			len -= (size_t)sent;
		}
	}
	return true;
}

/* Reads to the end of the line; false with errno, which is 0 when the daemon went. */
static bool read_line(int fd, struct strbuf *out)
{
	char buffer[16384];

	while (out->len < MAX_ANSWER) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = 0;
		if (got <= 0)
			return false;
		strbuf_add(out, buffer, (size_t)got);
		if (buffer[got - 1] == '\n')
			return true;
	}
	errno = EMSGSIZE;
	return false;
}

/* NULL with errno, which is 0 for an answer that is none. */
static json_t *talk(int fd, const char *request)
{
	struct strbuf line = {0};
	json_t *answer = NULL;
	int error = 0;

	strbuf_printf(&line, "%s\n", request);
	if (send_all(fd, line.text, line.len)) {
		strbuf_clear(&line);
		if (read_line(fd, &line))
			answer = json_loadb(line.text, line.len, 0, NULL);
		else
			error = errno;
	} else {
		error = errno;
	}
	strbuf_clear(&line);
	errno = error;
	return answer;
}

json_t *client_ask(const char *socket_path, unsigned timeout_s, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int fd = open_socket(socket_path, timeout_s);
	json_t *answer = NULL;

	json_decref(request);
	if (fd >= 0)
		answer = talk(fd, text);
	if (!answer)
		explain(socket_path, errno, timeout_s);
	if (fd >= 0)
		close(fd);
	free(text);
	return answer;
}
