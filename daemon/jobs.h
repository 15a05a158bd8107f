/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers for the engine's slow work: a few threads take jobs, each rank
 * in order, and report on the loop's thread. A job is a function of its data.
 */
#ifndef DAEMON_JOBS_H
#define DAEMON_JOBS_H

#include <stdint.h>

struct jobs;
struct loop;

#define JOBS_ALL 8 /* as many threads as this host can use */

/* `done(arg, id)` is called on the loop's thread, once for each job. Jobs wait until there are workers. */
struct jobs *jobs_new(struct loop *loop, void (*done)(void *arg, uint64_t id), void *arg);
/* Starts the workers, at most so many: with the capabilities that the caller has then, for each thread has its own. */
void jobs_start(struct jobs *jobs, unsigned threads);
/* Waits for jobs that run, drops those that wait; no `done` is called any more. */
void jobs_free(struct jobs *jobs);
/* A lower rank goes before a higher one, which still gets its turn now and then. */
#define JOBS_RANKS 3
void jobs_submit(struct jobs *jobs, unsigned rank, uint64_t id, void (*run)(void *data), void *data);

#endif
