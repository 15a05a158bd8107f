/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workers (jobs.h). The lists are guarded by `lock`; a job is on one list or with a worker. */
#include "daemon/jobs.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utlist.h>

/*
 * A lookup that is answered from the cache must not wait for somebody's signature.
 * So workers never interrupt who runs (SCHED_BATCH), give way to who wakes (a long
 * slice), and get a tenth of what the loop gets where both want one processor. Not
 * SCHED_IDLE: its share is 3 of 1,027 beside a single busy process, with which a
 * signature of a millisecond takes a third of a second.
 */
#define WORKER_NICE 10
#define WORKER_SLICE_NS 20000000u
/* The shortest that there is. */
#define LOOP_SLICE_NS 100000u

/* As long, if they are key exchanges, as one signature with RSA. */
#define IN_ROW_MAX 16

#define REPORT_US 100u

struct job {
	uint64_t id;
	void (*run)(void *data);
	void *data;
	struct job *prev, *next;
};

struct jobs {
	struct loop *loop;
	void (*done)(void *arg, uint64_t id);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct job *waiting[JOBS_RANKS];
	unsigned in_row[JOBS_RANKS]; /* that went while one of a higher rank did not */
	struct job *finished;
	bool stopping;
	pthread_t threads[JOBS_ALL];
	unsigned thread_count;
	struct loop_wake wake;
};

/* The first that has not had its turns in a row; when each of them has had those, the last. NULL: no work. */
static struct job **choose_list(struct jobs *jobs)
{
	struct job **list = NULL;

	for (unsigned rank = 0; rank < JOBS_RANKS; rank++) {
		if (!jobs->waiting[rank])
			continue;
		list = &jobs->waiting[rank];
		if (jobs->in_row[rank] < IN_ROW_MAX)
			break;
	}
	return list;
}

/*
 * Our own negotiations, which a lookup may wait for, do not stand behind those of strangers; and a
 * thousand peers that come at once each have brief work before a signature, which would wait for the
 * signatures of all others before them. Who floods us with brief work does not stop signatures.
 */
static struct job *choose_job(struct jobs *jobs)
{
	struct job **list = choose_list(jobs), *job;
	unsigned rank;

	if (!list)
		return NULL;
	job = *list;
	DL_DELETE(*list, job);
	rank = (unsigned)(list - jobs->waiting);
	jobs->in_row[rank]++;
	memset(jobs->in_row, 0, rank * sizeof(*jobs->in_row));
	return job;
}

/* Takes the next job; NULL when the pool stops. */
static struct job *take_job(struct jobs *jobs)
{
	struct job *job;

	pthread_mutex_lock(&jobs->lock);
	while (!choose_list(jobs) && !jobs->stopping)
		pthread_cond_wait(&jobs->arrived, &jobs->lock);
	job = jobs->stopping ? NULL : choose_job(jobs);
	pthread_mutex_unlock(&jobs->lock);
	return job;
}

/*
 * Of the calling thread, for in Linux each has its own. Kernels that know slices
 * (6.12) let who asks for a short one run when it wakes, rather than at the end of
 * the slice of who runs: a nice value alone does not. Others take no notice of it.
 */
static void set_schedule(int policy, int nice, uint64_t slice_ns)
{
	/* struct sched_attr of sched_setattr(2), which the C library lacks. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr = {.size = sizeof(attr), .policy = (uint32_t)policy, .nice = nice, .runtime_ns = slice_ns};

	if (syscall(SYS_sched_setattr, 0, &attr, 0) != 0)
		log_debug("a thread runs with the priority and the slices of all");
}

static void *work(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;

	set_schedule(SCHED_BATCH, WORKER_NICE, WORKER_SLICE_NS);
	while ((job = take_job(jobs))) {
		bool first;

		job->run(job->data);
		pthread_mutex_lock(&jobs->lock);
		first = !jobs->finished;
		DL_APPEND(jobs->finished, job);
		pthread_mutex_unlock(&jobs->lock);
		if (first)
			loop_wake_send(&jobs->wake);
	}
	return NULL;
}

static struct job *take_finished(struct jobs *jobs, bool *more)
{
	struct job *job;

	pthread_mutex_lock(&jobs->lock);
	job = jobs->finished;
	if (job)
		DL_DELETE(jobs->finished, job);
	*more = jobs->finished != NULL;
	pthread_mutex_unlock(&jobs->lock);
	return job;
}

/*
 * As many in a turn of the loop as an answer from the cache may wait for, and one at least: what
 * follows from it takes time, too.
 */
static void report(struct loop_wake *wake)
{
	struct jobs *jobs = wake->arg;
	uint64_t until_us = loop_now_us(jobs->loop) + REPORT_US;
	bool more = true;

	while (more) {
		struct job *job = take_finished(jobs, &more);

		if (!job)
			return;
		jobs->done(jobs->arg, job->id);
		free(job);
		if (more && loop_now_us(jobs->loop) >= until_us) {
			loop_wake_send(&jobs->wake);
			return;
		}
	}
}

/*
 * One processor is left to the loop and to who asks it: the scheduler may prefer a
 * worker to a loop that was interrupted, and then keeps to it until its next tick.
 */
static unsigned limit_threads(unsigned threads)
{
	cpu_set_t ours;
	unsigned count = sched_getaffinity(0, sizeof(ours), &ours) == 0 ? (unsigned)CPU_COUNT(&ours) : 1;
	unsigned most = count > JOBS_ALL ? JOBS_ALL : count > 1 ? count - 1 : 1;

	return threads < most ? threads : most;
}

struct jobs *jobs_new(struct loop *loop, void (*done)(void *arg, uint64_t id), void *arg)
{
	struct jobs *jobs = mem_new(struct jobs);

	jobs->loop = loop;
	jobs->done = done;
	jobs->arg = arg;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->arrived, NULL);
	jobs->wake = (struct loop_wake){.woken = report, .arg = jobs};
	loop_wake_start(loop, &jobs->wake);
	return jobs;
}

void jobs_start(struct jobs *jobs, unsigned threads)
{
	sigset_t all, old;

	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	threads = limit_threads(threads);
	for (unsigned i = 0; i < threads; i++) {
		int error = pthread_create(&jobs->threads[i], NULL, work, jobs);

		if (error)
			log_fatal("cannot start a worker thread: %s", strerror(error));
		jobs->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	set_schedule(SCHED_OTHER, getpriority(PRIO_PROCESS, 0), LOOP_SLICE_NS);
}

static void free_list(struct job *list)
{
	struct job *job, *next;

	DL_FOREACH_SAFE (list, job, next)
		free(job);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->stopping = true;
	pthread_cond_broadcast(&jobs->arrived);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->thread_count; i++)
		pthread_join(jobs->threads[i], NULL);
	loop_wake_stop(jobs->loop, &jobs->wake);
	for (unsigned rank = 0; rank < JOBS_RANKS; rank++)
		free_list(jobs->waiting[rank]);
	free_list(jobs->finished);
	pthread_cond_destroy(&jobs->arrived);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

void jobs_submit(struct jobs *jobs, unsigned rank, uint64_t id, void (*run)(void *data), void *data)
{
	struct job *job = mem_new(struct job);

	job->id = id;
	job->run = run;
	job->data = data;
	pthread_mutex_lock(&jobs->lock);
	DL_APPEND(jobs->waiting[rank], job);
	pthread_cond_signal(&jobs->arrived);
	pthread_mutex_unlock(&jobs->lock);
}
