/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo ADDRESS WORK_US: answers what comes to port 53, by UDP, as if a query were its
 * own answer with one record, after so much computing as a resolver needs. An event
 * loop as a resolver's, that nothing else happens in: what bench/ask sees of it is what
 * this machine's scheduler does to such a server, and is the control beside resolvers.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define HEADER_LEN 12
#define ANSWERS_AT 6 /* the count of answers in a header, RFC 1035 4.1.1 */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void work(unsigned us)
{
	uint64_t until_ns = cpu_ns() + us * 1000u;

	while (cpu_ns() < until_ns)
		;
}

static void answer(int fd, unsigned work_us)
{
	uint8_t data[1500];
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	ssize_t got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&client, &len);

	if (got < HEADER_LEN)
		return;
	work(work_us);
	data[ANSWERS_AT + 1] = 1;
	if (sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&client, len) < 0)
		perror("echo: sendto");
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 3 || inet_pton(AF_INET, argv[1], &own.sin_addr) != 1 ||
		bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		fprintf(stderr, "usage: echo ADDRESS WORK_US\n");
		return 2;
	}
	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) == 1)
			answer(fd, (unsigned)atoi(argv[2]));
	}
}
