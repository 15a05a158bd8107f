/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A join by name is on disk and in the kernel before anybody hears of it (P4), and a slow disk holds up nobody else. */
#include "daemon/joins.h"

#include "lib/loop.h"
#include "lib/mem.h"
#include "t/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_S 20

static struct policy_conn conn = {.name = (char *)"private", .group = POLICY_PRIVATE};
static struct policy_name pattern = {.pattern = (char *)"*.corp.example", .file = (char *)"private", .line = 1};
static char dir[] = "/tmp/oe-joins.XXXXXX";
static struct conf conf = {.policy = {.conns = &conn, .conn_count = 1, .names = &pattern, .name_count = 1},
	.setup = {.state_dir = dir}};

static struct loop *loop;
static struct joins *joins;
static dp_done kernel_done;
static void *kernel_arg;
static uint64_t told;
static int told_error, told_count;

static void apply(void *arg, dp_done done, void *done_arg)
{
	size_t count;

	(void)arg;
	free(joins_take_changes(joins, &count));
	kernel_done = done;
	kernel_arg = done_arg;
}

static bool is_off(void *arg)
{
	(void)arg;
	return false;
}

static bool in_use(void *arg, const struct addr *addr)
{
	(void)arg;
	(void)addr;
	return false;
}

static const struct joins_hooks hooks = {.apply = apply, .in_use = in_use, .is_off = is_off};

static void installed(void *arg, uint64_t generation, int error)
{
	(void)arg;
	told = generation;
	told_error = error;
	told_count++;
}

static uint64_t learn(const char *text)
{
	struct addr addr = {0};
	char why[NAMES_TEXT];
	uint64_t generation;

	addr_parse(text, &addr);
	joins_learn(joins, "host.corp.example", &addr, &generation, why);
	return generation;
}

/* Learns, and has the kernel asked for it; it answers when we say so. */
static uint64_t learn_and_apply(const char *text)
{
	uint64_t generation = learn(text);

	kernel_done = NULL;
	while (!kernel_done)
		loop_step(loop, true);
	return generation;
}

static bool is_kept(const char *line)
{
	char path[64], text[1024] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/names", dir);
	file = fopen(path, "re");
	if (file) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	return strstr(text, line) != NULL;
}

/* A pipe for a file: it can be opened for writing when somebody reads. */
static void test_slow_disk(void)
{
	char path[64];
	int reader;

	snprintf(path, sizeof(path), "%s/names.new", dir);
	if (mkfifo(path, 0600) != 0)
		exit(1);
	is_int((intmax_t)learn_and_apply("192.0.2.1"), 1, "a new address has to be waited for");
	kernel_done(kernel_arg, 0);
	learn_and_apply("192.0.2.2");
	kernel_done(kernel_arg, -EIO);
	is_int((intmax_t)learn_and_apply("192.0.2.3"), 3, "the loop goes on while the disk does not");
	kernel_done(kernel_arg, 0);
	is_int(told_count, 0, "what is in the kernel, and not on disk, is not said to be there");

	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unlink(path);
	while (told < 1)
		loop_step(loop, true);
	ok(told == 1 && told_error == 0, "a disk that takes nothing withholds nothing");
	close(reader);
	while (told < 3)
		loop_step(loop, true);
	is_int(told_count, 2, "what came meanwhile is written at once");
	is_int(told_error, -EIO, "and what the kernel has refused of it is an error");
	ok(is_kept("192.0.2.1 ") && is_kept("192.0.2.2 ") && is_kept("192.0.2.3 "), "all are on disk");
}

static void test_slow_kernel(void)
{
	learn_and_apply("192.0.2.4");
	while (!is_kept("192.0.2.4 "))
		loop_step(loop, false);
	is_int((intmax_t)told, 3, "what is on disk, and not in the kernel, is not said to be there");
	kernel_done(kernel_arg, 0);
	while (told < 4)
		loop_step(loop, true);
	is_int(told_error, 0, "an error is told once");
}

static void test_restart(void)
{
	joins_free(joins);
	joins = joins_new(loop, &conf);
	joins_start(joins, &hooks, NULL);
	joins_start_writer(joins);
	is_int((intmax_t)joins_config(joins)->line_count, 4, "the next run knows them");
	is_int((intmax_t)learn("192.0.2.4"), 0, "and waits for none of them");
}

int main(void)
{
	char path[64];

	alarm(LIMIT_S);
	if (!mkdtemp(dir))
		return 1;
	loop = loop_new();
	joins = joins_new(loop, &conf);
	joins_start(joins, &hooks, NULL);
	joins_start_writer(joins);
	joins_listen(joins, installed, NULL);
	test_slow_disk();
	test_slow_kernel();
	test_restart();
	joins_free(joins);
	loop_free(loop);
	snprintf(path, sizeof(path), "%s/names", dir);
	unlink(path);
	rmdir(dir);
	return tap_done();
}
