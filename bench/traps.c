/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What many lines cost in the kernel, through xfrm/'s own functions and with
 * its policies, in network namespaces of our own (root, XFRM; no ESP needed):
 *
 *   bench/traps [COUNT]...      1000 10000 50000
 *
 * For each shape of lines and each count, with the kernel's own thresholds and
 * with ours (xfrm/search.c): installing, finding all of it again after a crash,
 * a reload that changes nothing, one that changes a tenth, removing; and what
 * sending a datagram costs to nobody's address, to a line's, and to where the
 * search is longest, beside the same before there were policies. With the
 * kernel's own thresholds up to 10,000 only: more takes minutes.
 */
#include "t/unit/xfrm_world.h"

#include <sys/wait.h>

#define SENDS 20000u
#define SLOW_MOST 10000u

struct shape {
	const char *name;
	void (*make)(struct dp_line *line, unsigned i);
	unsigned most; /* lines that are allowed (xfrm/weigh.c) */
	const char *nobody, *covered, *worst;
};

static void set_prefix(struct dp_line *line, uint32_t addr, uint8_t len)
{
	line->remote = (struct prefix){.addr = {.family = ADDR_IPV4}, .len = len};
	for (int i = 0; i < 4; i++)
		line->remote.addr.bytes[i] = (uint8_t)(addr >> (24 - 8 * i));
	line->slot = (32u - len) * 5 + (line->proto ? 1 : 4);
}

static void make_host(struct dp_line *line, unsigned i)
{
	set_prefix(line, 0x0a000000 + i * 16, 32);
}

/* The first line is the network, the others are hosts in it. */
static void make_host_inside(struct dp_line *line, unsigned i)
{
	if (i == 0)
		set_prefix(line, 0x0a000000, 16);
	else
		set_prefix(line, 0x0a000000 + i, 32);
}

static void make_network(struct dp_line *line, unsigned i)
{
	set_prefix(line, 0x0a000000 + (i << 8), 24);
}

static void make_network_inside(struct dp_line *line, unsigned i)
{
	if (i == 0)
		set_prefix(line, 0x0a000000, 16);
	else
		set_prefix(line, 0x0a000000 + (i << 4), 28);
}

static void make_port(struct dp_line *line, unsigned i)
{
	line->proto = IPPROTO_TCP;
	line->remote_port = (uint16_t)(i + 1);
	set_prefix(line, 0x0a000000, 9);
}

static const struct shape shapes[] = {
	{"hosts", make_host, 50000, "10.250.0.1", "10.0.0.16", "10.0.0.17"},
	{"hosts in a /16", make_host_inside, 50000, "10.250.0.1", "10.0.0.7", "10.0.250.7"},
	{"networks of /24", make_network, 50000, "10.250.0.1", "10.0.0.7", "10.3.200.7"},
	{"/28s in a /16", make_network_inside, 4000, "10.250.0.1", "10.0.0.17", "10.0.250.7"},
	{"ports of one /9", make_port, 4000, "10.250.0.1", "10.0.0.7", "10.100.0.7"},
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One datagram of an unconnected socket, in microseconds: each is looked up anew. */
static double send_us(const char *to)
{
	struct endpoint target = {.port = 9};
	struct sockaddr_storage name;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double begin;
	unsigned len, i;

	addr_parse(to, &target.addr);
	endpoint_to_sockaddr(&target, &name, &len);
	for (i = 0; i < 200; i++) /* a trap's queue is full then */
		sendto(fd, "x", 1, 0, (struct sockaddr *)&name, len);
	begin = now_s();
	for (i = 0; i < SENDS && now_s() - begin < 1; i++)
		sendto(fd, "x", 1, 0, (struct sockaddr *)&name, len);
	begin = now_s() - begin;
	close(fd);
	return begin / i * 1e6;
}

static double set_lines_us(const struct dp_line *lines, unsigned count)
{
	double begin = now_s();

	if (set_lines(lines, count) != 0)
		printf("(%s) ", strerror(-last_error));
	return (now_s() - begin) / count * 1e6;
}

static double flush_us(unsigned count)
{
	double begin = now_s();

	dp_flush(dp, take_answer, NULL);
	answer_of_request();
	return (now_s() - begin) / count * 1e6;
}

/* Behind the data plane's back, which lowers them for many changes all the same. */
static void put_back(bool ours)
{
	static const struct search_thresholds kernels = {{32, 32}, {128, 128}};

	if (!ours)
		netlink_request(reader, encode_thresholds(&kernels));
}

static void measure(const struct shape *shape, unsigned count, bool ours)
{
	struct dp_line *lines = mem_zalloc(count * sizeof(*lines));
	double bare, install, again, tenth, taken, to_nobody, to_covered, to_worst;

	loop = loop_new();
	reader = reader_open();
	log_set_level(LOG_LEVEL_ERROR);
	bare = send_us(shape->nobody);
	plane_open();
	put_back(ours);
	for (unsigned i = 0; i < count; i++) {
		lines[i] = make_line(i + 1, PRIVATE, "10.0.0.0/8", 0, 0);
		shape->make(&lines[i], i);
	}
	install = set_lines_us(lines, count);
	again = set_lines_us(lines, count);
	put_back(ours);
	to_nobody = send_us(shape->nobody);
	to_covered = send_us(shape->covered);
	to_worst = send_us(shape->worst);
	dp_close(dp);
	plane_open();
	put_back(ours);
	taken = set_lines_us(lines, count);
	for (unsigned i = 0; i < count; i += 10)
		lines[i].out = DP_TRAP_PASS;
	tenth = set_lines_us(lines, count);
	printf("  %-8s %6u  %7.1f %7.1f %7.1f %7.1f %7.1f   %6.1f %6.1f %6.1f %6.1f\n", ours ? "ours" : "kernel's", count,
		install, taken, again, tenth, flush_us(count), bare, to_nobody, to_covered, to_worst);
}

/* Each in a process of its own, which takes its namespace with it. */
static bool run(const struct shape *shape, unsigned count, bool ours)
{
	const char *obstacle;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		obstacle = world_make();
		if (obstacle)
			printf("  not measured: %s\n", obstacle);
		else
			measure(shape, count, ours);
		fflush(stdout);
		_exit(obstacle != NULL);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	unsigned counts[16] = {1000, 10000, 50000};
	int count = 3;

	for (int i = 1; i < argc && i <= (int)ARRAY_LEN(counts); i++) {
		counts[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
		count = i;
	}
	printf("                    microseconds a line                        microseconds a datagram to\n"
	       "  hash      lines  install    take   again   tenth  remove   before nobody   line longest\n");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		printf("%s:\n", shapes[i].name);
		for (int j = 0; j < count; j++) {
			unsigned lines = counts[j] < shapes[i].most ? counts[j] : shapes[i].most;

			if (lines <= SLOW_MOST && !run(&shapes[i], lines, false))
				return 0;
			run(&shapes[i], lines, true);
			if (lines < counts[j])
				break;
		}
	}
	return 0;
}
