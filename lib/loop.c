/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop over libev (loop.h). */
#include "lib/loop.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <time.h>

/* libev's macros convert int to short and the like; that noise is not ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#define EV_MULTIPLICITY 1
#include <ev.h>

struct loop {
	struct ev_loop *ev;
	uint64_t (*clock)(void *arg);
	void *clock_arg;
};

struct loop *loop_new(void)
{
	struct loop *loop = mem_new(struct loop);

	loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_AUTO);
	if (!loop->ev)
		log_fatal("cannot create the event loop");
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
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
	struct timespec now;

	if (loop->clock)
		return loop->clock(loop->clock_arg);
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
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

/*
 * The watcher is freed before `fired` runs, so that `fired` may start the timer
 * again or free its owner.
 */
static void timer_fired(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct loop_timer *timer = watcher->data;

	(void)revents;
	ev_timer_stop(ev, watcher);
	free(watcher);
	timer->watcher = NULL;
	timer->fired(timer);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_us)
{
	ev_timer *watcher = timer->watcher;

	if (watcher)
		ev_timer_stop(loop->ev, watcher);
	else
		watcher = mem_new(ev_timer);
	/* libev counts from its cached time, which a long callback leaves behind. */
	ev_now_update(loop->ev);
	ev_timer_init(watcher, timer_fired, (double)after_us / 1e6, 0.);
	watcher->data = timer;
	timer->watcher = watcher;
	ev_timer_start(loop->ev, watcher);
}

void loop_timer_start_at(struct loop *loop, struct loop_timer *timer, uint64_t at_us)
{
	uint64_t now_us = loop_now_us(loop);

	if (at_us == LOOP_NEVER)
		loop_timer_stop(loop, timer);
	else
		loop_timer_start(loop, timer, at_us > now_us ? at_us - now_us : 0);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->watcher)
		return;
	ev_timer_stop(loop->ev, timer->watcher);
	free(timer->watcher);
	timer->watcher = NULL;
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
