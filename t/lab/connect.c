/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect NAME PORT: as an application does, getaddrinfo() and then each
 * address in turn until one takes the connection. Says which and after how many
 * milliseconds, or what went wrong. Built with glibc and with musl (stubs.t).
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int try(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol);
	int good = fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *info;
	char addr[64];
	long began = now_ms();
	int error;

	if (argc != 3)
		return 2;
	error = getaddrinfo(argv[1], argv[2], &hints, &list);
	if (error) {
		printf("lookup: %s %ld\n", gai_strerror(error), now_ms() - began);
		return 1;
	}
	for (info = list; info; info = info->ai_next) {
		if (!try(info))
			continue;
		getnameinfo(info->ai_addr, info->ai_addrlen, addr, sizeof(addr), NULL, 0, NI_NUMERICHOST);
		printf("%s %ld\n", addr, now_ms() - began);
		return 0;
	}
	printf("connect: none of the addresses %ld\n", now_ms() - began);
	return 1;
}
