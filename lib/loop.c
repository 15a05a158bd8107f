/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop over libev (loop.h).
 *
 * libev's timers run on CLOCK_MONOTONIC, which stands still while the host
 * sleeps; ours are due on CLOCK_BOOTTIME. So when one has run ahead of the
 * other, all timers are set anew, and a timerfd wakes us for that on resume.
 */
#include "lib/loop.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* libev's macros convert int to short and the like; that noise is not ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#define EV_MULTIPLICITY 1
#include <ev.h>

/* Our clock may be so far ahead of libev's before that counts as sleep. */
#define SLEEP_US 100000

/* A started timer; owned by its loop_timer. */
struct timer {
	ev_timer ev;
	struct loop_timer *owner;
	uint64_t due_us;
	LIST_ENTRY(timer) next;
};

struct loop {
	struct ev_loop *ev;
	LIST_HEAD(, timer) timers;
	ev_check after_wait;
	uint64_t slept_us; /* our clock less libev's, when the timers were set */
	ev_io resumed;
	uint64_t (*clock)(void *arg);
	void *clock_arg;
};

static uint64_t read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void set_timer(struct loop *loop, struct timer *timer, uint64_t now_us)
{
	uint64_t after_us = timer->due_us > now_us ? timer->due_us - now_us : 0;

	ev_timer_stop(loop->ev, &timer->ev);
	ev_timer_set(&timer->ev, (double)after_us / 1e6, 0.);
	ev_timer_start(loop->ev, &timer->ev);
}

static void look_for_sleep(struct ev_loop *ev, ev_check *watcher, int revents)
{
	struct loop *loop = watcher->data;
	uint64_t now_us = loop_now_us(loop), slept_us = now_us - read_us(CLOCK_MONOTONIC);
	struct timer *timer;

	(void)revents;
	/* Modulo 2^64: a clock of a test's own may be behind. */
	if (slept_us - loop->slept_us + SLEEP_US <= 2 * SLEEP_US)
		return;
	loop->slept_us = slept_us;
	ev_now_update(ev);
	LIST_FOREACH (timer, &loop->timers, next)
		set_timer(loop, timer, now_us);
}

/* Never due: it is only there to be cancelled, and that on resume and when the time of day is set. */
static void watch_for_resume(int fd)
{
	struct itimerspec never = {.it_value.tv_sec = INT64_MAX / 1000000000};

	timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void has_resumed(struct ev_loop *ev, ev_io *watcher, int revents)
{
	uint64_t count;

	(void)ev;
	(void)revents;
	if (read(watcher->fd, &count, sizeof(count)) < 0)
		watch_for_resume(watcher->fd);
}

struct loop *loop_new(void)
{
	struct loop *loop = mem_new(struct loop);
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_AUTO);
	if (!loop->ev || fd < 0)
		log_fatal("cannot create the event loop");
	ev_set_userdata(loop->ev, loop);
	LIST_INIT(&loop->timers);
	loop->slept_us = loop_now_us(loop) - read_us(CLOCK_MONOTONIC);
	ev_check_init(&loop->after_wait, look_for_sleep);
	loop->after_wait.data = loop;
	ev_check_start(loop->ev, &loop->after_wait);
	watch_for_resume(fd);
	ev_io_init(&loop->resumed, has_resumed, fd, EV_READ);
	ev_io_start(loop->ev, &loop->resumed);
	/* Alone these two are no reason to run. */
	ev_unref(loop->ev);
	ev_unref(loop->ev);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->resumed.fd);
	ev_loop_destroy(loop->ev);
	free(loop);
}

void loop_run(struct loop *loop)
{
	ev_run(loop->ev, 0);
}

void loop_step(struct loop *loop, bool wait)
{
	ev_run(loop->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void loop_stop(struct loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

uint64_t loop_now_us(const struct loop *loop)
{
	return loop->clock ? loop->clock(loop->clock_arg) : read_us(CLOCK_BOOTTIME);
}

void loop_set_clock(struct loop *loop, uint64_t (*clock)(void *arg), void *arg)
{
	loop->clock = clock;
	loop->clock_arg = arg;
}

/* --- descriptors ----------------------------------------------------------- */

static int to_ev(int events)
{
	return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

static void io_ready(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct loop_io *io = watcher->data;

	(void)ev;
	io->ready(io, (revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0));
}

void loop_io_start(struct loop *loop, struct loop_io *io, int fd, int events)
{
	ev_io *watcher = mem_new(ev_io);

	loop_io_stop(loop, io);
	ev_io_init(watcher, io_ready, fd, to_ev(events));
	ev_set_priority(watcher, io->prompt ? EV_MAXPRI : 0);
	watcher->data = io;
	io->watcher = watcher;
	ev_io_start(loop->ev, watcher);
}

void loop_io_events(struct loop *loop, struct loop_io *io, int events)
{
	ev_io *watcher = io->watcher;

	if (!watcher)
		return;
	ev_io_stop(loop->ev, watcher);
	ev_io_set(watcher, watcher->fd, to_ev(events));
	ev_io_start(loop->ev, watcher);
}

void loop_io_stop(struct loop *loop, struct loop_io *io)
{
	if (!io->watcher)
		return;
	ev_io_stop(loop->ev, io->watcher);
	free(io->watcher);
	io->watcher = NULL;
}

bool loop_io_active(const struct loop_io *io)
{
	return io->watcher != NULL;
}

/* --- timers ------------------------------------------------------------------ */

static void end_timer(struct loop *loop, struct timer *timer)
{
	timer->owner->watcher = NULL;
	ev_timer_stop(loop->ev, &timer->ev);
	LIST_REMOVE(timer, next);
	free(timer);
}

/* The timer is freed before `fired` runs, so that `fired` may start it again or free its owner. */
static void timer_fired(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct timer *timer = (struct timer *)watcher;
	struct loop_timer *owner = timer->owner;

	(void)revents;
	end_timer(ev_userdata(ev), timer);
	owner->fired(owner);
}

static void start_timer(struct loop *loop, struct loop_timer *owner, uint64_t due_us, uint64_t now_us)
{
	struct timer *timer = owner->watcher;

	if (!timer) {
		timer = mem_new(struct timer);
		ev_init(&timer->ev, timer_fired);
		timer->owner = owner;
		owner->watcher = timer;
		LIST_INSERT_HEAD(&loop->timers, timer, next);
	}
	timer->due_us = due_us;
	/* libev counts from its cached time, which a long callback leaves behind. */
	ev_now_update(loop->ev);
	set_timer(loop, timer, now_us);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_us)
{
	uint64_t now_us = loop_now_us(loop);

	start_timer(loop, timer, now_us + after_us, now_us);
}

void loop_timer_start_at(struct loop *loop, struct loop_timer *timer, uint64_t at_us)
{
	if (at_us == LOOP_NEVER)
		loop_timer_stop(loop, timer);
	else
		start_timer(loop, timer, at_us, loop_now_us(loop));
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	if (timer->watcher)
		end_timer(loop, timer->watcher);
}

bool loop_timer_active(const struct loop_timer *timer)
{
	return timer->watcher != NULL;
}

/* --- signals -------------------------------------------------------------------- */

static void signal_caught(struct ev_loop *ev, ev_signal *watcher, int revents)
{
	struct loop_signal *signal = watcher->data;

	(void)ev;
	(void)revents;
	signal->caught(signal, watcher->signum);
}

void loop_signal_start(struct loop *loop, struct loop_signal *signal, int number)
{
	ev_signal *watcher = mem_new(ev_signal);

	ev_signal_init(watcher, signal_caught, number);
	watcher->data = signal;
	signal->watcher = watcher;
	ev_signal_start(loop->ev, watcher);
}

void loop_signal_stop(struct loop *loop, struct loop_signal *signal)
{
	if (!signal->watcher)
		return;
	ev_signal_stop(loop->ev, signal->watcher);
	free(signal->watcher);
	signal->watcher = NULL;
}

/* --- wake-ups --------------------------------------------------------------------- */

static void wake_received(struct ev_loop *ev, ev_async *watcher, int revents)
{
	struct loop_wake *wake = watcher->data;

	(void)ev;
	(void)revents;
	wake->woken(wake);
}

void loop_wake_start(struct loop *loop, struct loop_wake *wake)
{
	ev_async *watcher = mem_new(ev_async);

	ev_async_init(watcher, wake_received);
	watcher->data = wake;
	wake->watcher = watcher;
	wake->loop = loop;
	ev_async_start(loop->ev, watcher);
}

void loop_wake_stop(struct loop *loop, struct loop_wake *wake)
{
	if (!wake->watcher)
		return;
	ev_async_stop(loop->ev, wake->watcher);
	free(wake->watcher);
	wake->watcher = NULL;
}

void loop_wake_send(struct loop_wake *wake)
{
	ev_async_send(wake->loop->ev, wake->watcher);
}

#pragma GCC diagnostic pop
