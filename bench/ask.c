/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask SERVER COUNT WINDOW NAMES [PAUSE_US]: COUNT questions for h0.bench.example
 * to h(NAMES-1).bench.example, A, by UDP, WINDOW of them unanswered at once, with a
 * pause before each. Says as JSON how many were answered with an address, how long it
 * took, and the 50th and 99th hundredth of the latencies in microseconds: from sending
 * to reading, and of that the server's part, which ends when the kernel has put the
 * answer into our socket; what is left is how long we waited for a processor. What is
 * lost is not asked again. Ends early, with its result, on SIGTERM.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDS 65536u
#define PATIENCE_MS 2000
#define ANSWERS_AT 6 /* the count of answers in a header, RFC 1035 4.1.1 */

static uint64_t sent_ns[IDS]; /* 0: not under way */
static uint32_t *whole_ns, *answered_ns; /* for each answer */
static unsigned answered;
static unsigned pause_us;
static volatile sig_atomic_t ended;

static uint64_t to_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	/* The clock of the kernel's timestamps. */
	clock_gettime(CLOCK_REALTIME, &now);
	return to_ns(&now);
}

static size_t build(uint8_t *out, unsigned id, unsigned name)
{
	static const char rest[] = "\5bench\7example\0\0\1\0\1";
	int label = snprintf((char *)out + 13, 16, "h%u", name);

	memcpy(out, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[12] = (uint8_t)label;
	memcpy(out + 13 + label, rest, sizeof(rest) - 1);
	return 13 + (size_t)label + sizeof(rest) - 1;
}

static void ask(int fd, unsigned number, unsigned names)
{
	uint8_t query[64];
	size_t len = build(query, number % IDS, number * 7919u % names);

	sent_ns[number % IDS] = now_ns();
	if (send(fd, query, len, 0) < 0)
		perror("ask: send");
}

/* When a message came into our socket. */
static uint64_t arrival_ns(struct msghdr *msg)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(msg);
	struct timespec time = {0};

	if (control && control->cmsg_type == SCM_TIMESTAMPNS)
		memcpy(&time, CMSG_DATA(control), sizeof(time));
	return to_ns(&time);
}

/* True when an answer came that was awaited. */
static bool take(int fd, int flags)
{
	uint8_t data[1500];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct iovec piece = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	ssize_t got = recvmsg(fd, &msg, flags);
	unsigned id = (unsigned)data[0] << 8 | data[1];

	if (got < 12 || !sent_ns[id])
		return false;
	if (data[ANSWERS_AT] || data[ANSWERS_AT + 1]) {
		answered_ns[answered] = (uint32_t)(arrival_ns(&msg) - sent_ns[id]);
		whole_ns[answered++] = (uint32_t)(now_ns() - sent_ns[id]);
	}
	sent_ns[id] = 0;
	return true;
}

static void run(int fd, unsigned count, unsigned window, unsigned names)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	unsigned number = 0, open = 0;

	while ((number < count && !ended) || open) {
		if (pause_us)
			usleep(pause_us);
		for (; number < count && open < window && !ended; open++)
			ask(fd, number++, names);
		if (poll(&ready, 1, PATIENCE_MS) == 0)
			return;
		while (open && take(fd, MSG_DONTWAIT))
			open--;
	}
}

static void end(int number)
{
	(void)number;
	ended = 1;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double hundredth_us(const uint32_t *sorted_ns, unsigned share)
{
	return answered ? sorted_ns[(uint64_t)(answered - 1) * share / 100] / 1e3 : 0;
}

static void report(double seconds)
{
	qsort(whole_ns, answered, sizeof(*whole_ns), compare);
	qsort(answered_ns, answered, sizeof(*answered_ns), compare);
	printf("{\"answered\": %u, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"answered_p50_us\": %.1f, \"answered_p99_us\": %.1f}\n",
		answered, seconds, hundredth_us(whole_ns, 50), hundredth_us(whole_ns, 99),
		hundredth_us(answered_ns, 50), hundredth_us(answered_ns, 99));
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	uint64_t began;
	unsigned count;

	if (argc < 5 || argc > 6 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 ||
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
		connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
		fprintf(stderr, "usage: ask SERVER COUNT WINDOW NAMES [PAUSE_US]\n");
		return 2;
	}
	count = (unsigned)atoi(argv[2]);
	pause_us = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
	signal(SIGTERM, end);
	whole_ns = calloc(count + 1, sizeof(*whole_ns));
	answered_ns = calloc(count + 1, sizeof(*answered_ns));
	if (!whole_ns || !answered_ns)
		return 1;
	began = now_ns();
	run(fd, count, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	report((double)(now_ns() - began) / 1e9);
	free(whole_ns);
	free(answered_ns);
	close(fd);
	return 0;
}
