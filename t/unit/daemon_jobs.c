/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workers: the loop answers DNS between two of their results, and what is brief need not wait. */
#include "daemon/jobs.h"

#include "lib/loop.h"
#include "t/tap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* More than can be under way at once, by so many that some are finished when the last begins. */
#define JOBS (JOBS_ALL + 3)

static atomic_int begun;
static int reported, answered;
static int ends[2];

static void begin(void *data)
{
	(void)data;
	begun++;
}

/* What follows from a result takes so long, by a clock of our own. */
static uint64_t now_us, result_us;

static uint64_t clock_us(void *arg)
{
	(void)arg;
	return now_us;
}

static void done(void *arg, uint64_t id)
{
	(void)arg;
	(void)id;
	reported++;
	now_us += result_us;
}

static void ask(void)
{
	if (write(ends[1], "x", 1) != 1)
		exit(1);
}

/* A question for which the next comes at once. */
static void answer(struct loop_io *io, int events)
{
	char byte;

	(void)io;
	(void)events;
	if (read(ends[0], &byte, 1) == 1)
		answered++;
	ask();
}

/* All have finished; how many results at most come in one turn of the loop, and an answer comes before each turn's. */
static int most_in_a_turn(struct loop *loop, struct jobs *jobs)
{
	struct loop_io io = {.ready = answer, .prompt = true};
	int most = 0;

	begun = reported = answered = 0;
	for (int i = 0; i < JOBS; i++)
		jobs_submit(jobs, 0, (uint64_t)i, begin, NULL);
	while (begun < JOBS)
		usleep(100);
	loop_io_start(loop, &io, ends[0], LOOP_READ);
	ask();
	while (reported < JOBS) {
		int before = reported, asked = answered;

		loop_step(loop, true);
		most = reported - before > most ? reported - before : most;
		if (answered == asked)
			ok(false, "a turn without an answer");
	}
	loop_io_stop(loop, &io);
	return most;
}

static void test_turns(struct loop *loop, struct jobs *jobs)
{
	loop_set_clock(loop, clock_us, NULL);
	result_us = 200;
	is_int(most_in_a_turn(loop, jobs), 1, "where results take long, one in a turn of the loop");
	result_us = 60;
	is_int(most_in_a_turn(loop, jobs), 2, "and as many as an answer from the cache may wait for");
	loop_set_clock(loop, NULL, NULL);
}

/* --- the order of one worker ---------------------------------------------------------------------- */

static char order[64];
static size_t run_count;

static void note(void *data)
{
	order[run_count++] = *(const char *)data;
}

static void submit(struct jobs *jobs, unsigned rank, char *name, size_t count)
{
	for (size_t i = 0; i < count; i++)
		jobs_submit(jobs, rank, i, note, name);
}

/* All wait before there is a worker. */
static void test_order(struct loop *loop)
{
	struct jobs *jobs = jobs_new(loop, done, NULL);
	char names[] = "abc";

	reported = 0;
	submit(jobs, 2, &names[2], 3);
	submit(jobs, 1, &names[1], 20);
	submit(jobs, 0, &names[0], 20);
	jobs_start(jobs, 1);
	while (reported < 43)
		loop_step(loop, true);
	is_str(order, "aaaaaaaaaaaaaaaabaaaabbbbbbbbbbbbbbbcbbbbcc", "the first rank goes first, and none of them for ever");
	jobs_free(jobs);
}

int main(void)
{
	struct loop *loop = loop_new();
	struct jobs *jobs = jobs_new(loop, done, NULL);

	if (pipe(ends) != 0)
		return 1;
	jobs_start(jobs, JOBS_ALL);
	test_turns(loop, jobs);
	jobs_free(jobs);
	test_order(loop);
	loop_free(loop);
	return tap_done();
}
