/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: readiness of descriptors, timers, signals, deferred work,
 * and the clock. The only file that includes ev.h.
 *
 * Watchers are embedded in their owner and must be stopped before it goes.
 * Time is microseconds of CLOCK_BOOTTIME (rule K6), which counts suspend;
 * tests may replace the clock.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

#define LOOP_READ 1
#define LOOP_WRITE 2
#define LOOP_NEVER UINT64_MAX

struct loop *loop_new(void);
void loop_free(struct loop *loop);
/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
/* Runs what is ready now (and waits for the first event when `wait`). */
void loop_step(struct loop *loop, bool wait);
void loop_stop(struct loop *loop);

/* Microseconds; read afresh at each call. */
uint64_t loop_now_us(const struct loop *loop);
/* Another clock for tests; NULL restores the kernel's. */
void loop_set_clock(struct loop *loop, uint64_t (*clock)(void *arg), void *arg);

/* --- descriptors: `events` and `ready` are LOOP_READ | LOOP_WRITE ----------- */
struct loop_io {
	void (*ready)(struct loop_io *io, int events);
	void *arg;
	bool prompt;   /* before all else that is ready */
	void *watcher; /* private; NULL when stopped */
};

void loop_io_start(struct loop *loop, struct loop_io *io, int fd, int events);
/* Changes the events of a started watcher. */
void loop_io_events(struct loop *loop, struct loop_io *io, int events);
void loop_io_stop(struct loop *loop, struct loop_io *io);
bool loop_io_active(const struct loop_io *io);

/* --- timers: fire once, may be started again from `fired` -------------------- */
struct loop_timer {
	void (*fired)(struct loop_timer *timer);
	void *arg;
	void *watcher;
};

/* (Re)starts; `after_us` 0 fires in the loop's next turn, never from inside. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_us);
/* The same with an absolute time of loop_now_us(); LOOP_NEVER stops it. */
void loop_timer_start_at(struct loop *loop, struct loop_timer *timer, uint64_t at_us);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
bool loop_timer_active(const struct loop_timer *timer);

/* --- signals ------------------------------------------------------------------ */
struct loop_signal {
	void (*caught)(struct loop_signal *signal, int number);
	void *arg;
	void *watcher;
};

void loop_signal_start(struct loop *loop, struct loop_signal *signal, int number);
void loop_signal_stop(struct loop *loop, struct loop_signal *signal);

/* --- wake-ups from other threads ---------------------------------------------- */
struct loop_wake {
	void (*woken)(struct loop_wake *wake);
	void *arg;
	struct loop *loop;
	void *watcher;
};

void loop_wake_start(struct loop *loop, struct loop_wake *wake);
void loop_wake_stop(struct loop *loop, struct loop_wake *wake);
/* The only function here that any thread may call. */
void loop_wake_send(struct loop_wake *wake);

#endif
