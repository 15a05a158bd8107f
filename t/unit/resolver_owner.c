/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule A11: who holds a port that we need; here this test does. */
#include "resolver/owner.h"
#include "t/tap.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char self[64];

/* A socket of the address on a free port, and the endpoint 127.0.0.1 of that port. */
static int hold(const char *text, int type, struct endpoint *wanted)
{
	struct endpoint endpoint;
	struct sockaddr_storage storage;
	unsigned len;
	int fd;

	endpoint_parse(text, 0, &endpoint);
	endpoint_to_sockaddr(&endpoint, &storage, &len);
	fd = socket(storage.ss_family, type | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&storage, len) != 0 ||
		(type == SOCK_STREAM && listen(fd, 1) != 0) ||
		getsockname(fd, (struct sockaddr *)&storage, &len) != 0 ||
		!endpoint_from_sockaddr((struct sockaddr *)&storage, &endpoint))
		exit(1);
	endpoint_parse("127.0.0.1", endpoint.port, wanted);
	return fd;
}

static void test_found(const char *text, int type, const char *what)
{
	struct endpoint wanted;
	int fd = hold(text, type, &wanted);
	struct owner owner = owner_of_port(&wanted);

	ok(strncmp(owner.text, self, strlen(self)) == 0, "%s: %s", what, owner.text);
	close(fd);
	owner = owner_of_port(&wanted);
	is_str(owner.text, "another program", "and not when it is free again");
}

static void test_resolved(void)
{
	struct endpoint wanted;
	int fd = hold("127.0.0.1", SOCK_DGRAM, &wanted);

	ok(!owner_of_port(&wanted).is_resolved, "this test is not systemd-resolved");
	prctl(PR_SET_NAME, "systemd-resolved");
	ok(owner_of_port(&wanted).is_resolved, "unless it says so, in the 15 letters that the kernel keeps");
	close(fd);
}

int main(void)
{
	struct endpoint wanted;
	int fd;

	snprintf(self, sizeof(self), "resolver_owner (pid %d", getpid());
	test_found("127.0.0.1", SOCK_DGRAM, "a UDP socket");
	test_found("0.0.0.0", SOCK_DGRAM, "a wildcard one");
	test_found("127.0.0.1", SOCK_STREAM, "a TCP listener alone");
	test_found("::", SOCK_DGRAM, "a wildcard of IPv6 holds IPv4 too");
	fd = hold("127.0.0.2", SOCK_DGRAM, &wanted);
	is_str(owner_of_port(&wanted).text, "another program", "another address is not in the way");
	close(fd);
	test_resolved();
	return tap_done();
}
