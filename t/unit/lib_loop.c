/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: timers from inside timers, descriptors, wake-ups from threads. */
#include "lib/log.h"
#include "lib/loop.h"
#include "t/tap.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static struct loop *loop;
static int fired;

static void timer_again(struct loop_timer *timer)
{
	if (++fired < 3)
		loop_timer_start(loop, timer, 0);
	else
		loop_stop(loop);
}

static void io_ready(struct loop_io *io, int events)
{
	char byte;

	if (events & LOOP_READ && read(*(int *)io->arg, &byte, 1) == 1)
		fired++;
	loop_io_stop(loop, io);
	loop_stop(loop);
}

static void woken(struct loop_wake *wake)
{
	(void)wake;
	fired++;
	loop_stop(loop);
}

static void *send_wake(void *wake)
{
	loop_wake_send(wake);
	return NULL;
}

/* The kernel's clock, and what the host has slept. */
static uint64_t slept_us;

static uint64_t clock_with_sleep(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u + slept_us;
}

static void count(struct loop_timer *timer)
{
	(void)timer;
	fired++;
}

/* K6: an hour asleep is an hour. The host's resume is some event; here another thread's. */
static void test_sleep(void)
{
	struct loop_timer soon = {.fired = count}, later = {.fired = count};
	struct loop_wake wake = {.woken = woken};

	loop = loop_new();
	loop_set_clock(loop, clock_with_sleep, NULL);
	fired = 0;
	loop_timer_start(loop, &soon, 1800 * UINT64_C(1000000));
	loop_timer_start(loop, &later, 7200 * UINT64_C(1000000));
	loop_step(loop, false);
	is_int(fired, 0, "nothing is due yet");
	slept_us = 3600 * UINT64_C(1000000);
	loop_wake_start(loop, &wake);
	loop_wake_send(&wake);
	loop_run(loop);
	loop_step(loop, false);
	is_int(fired, 2, "after an hour's sleep what became due in it fires at once");
	ok(!loop_timer_active(&soon) && loop_timer_active(&later), "and nothing else");
	loop_timer_stop(loop, &later);
	loop_wake_stop(loop, &wake);
	loop_set_clock(loop, NULL, NULL);
	loop_free(loop);
}

static struct loop_io *order[2];

static void note_order(struct loop_io *io, int events)
{
	(void)events;
	order[fired++] = io;
	loop_io_stop(loop, io);
}

/* Whichever of the two was started first, or has the lower descriptor. */
static void test_prompt(int number)
{
	struct loop_io ios[2] = {{.ready = note_order}, {.ready = note_order}};
	int ends[2][2];

	loop = loop_new();
	fired = 0;
	ios[number].prompt = true;
	for (int i = 0; i < 2; i++) {
		if (pipe(ends[i]) != 0 || write(ends[i][1], "x", 1) != 1)
			return;
		loop_io_start(loop, &ios[i], ends[i][0], LOOP_READ);
	}
	loop_step(loop, true);
	ok(fired == 2 && order[0] == &ios[number], "what is prompt comes first, watcher %d", number);
	for (int i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	loop_free(loop);
}

int main(void)
{
	struct loop_timer timer = {.fired = timer_again};
	struct loop_io io = {.ready = io_ready};
	struct loop_wake wake = {.woken = woken};
	struct log_limit limit = {0};
	pthread_t thread;
	int ends[2];

	loop = loop_new();
	loop_timer_start(loop, &timer, 1000);
	ok(fired == 0 && loop_timer_active(&timer), "a timer never fires from inside start");
	loop_run(loop);
	is_int(fired, 3, "a timer may start itself again");
	ok(!loop_timer_active(&timer), "and is stopped after it fired");

	fired = 0;
	if (pipe(ends) != 0)
		return 1;
	io.arg = &ends[0];
	loop_io_start(loop, &io, ends[0], LOOP_READ);
	ok(write(ends[1], "x", 1) == 1, "a byte is sent");
	loop_run(loop);
	ok(fired == 1 && !loop_io_active(&io), "readiness is reported; a watcher may stop itself");

	fired = 0;
	loop_wake_start(loop, &wake);
	pthread_create(&thread, NULL, send_wake, &wake);
	loop_run(loop);
	pthread_join(thread, NULL);
	is_int(fired, 1, "another thread wakes the loop");
	loop_wake_stop(loop, &wake);
	loop_free(loop);
	test_sleep();
	test_prompt(0);
	test_prompt(1);

	ok(log_limit_pass(&limit, 1000, 2, 1000000) && log_limit_pass(&limit, 1000, 2, 1000000) &&
			!log_limit_pass(&limit, 1000, 2, 1000000),
		"a rate limit lets a burst through, then no more");
	ok(log_limit_pass(&limit, 1001000, 2, 1000000), "and one again after the interval");
	return tap_done();
}
