/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our engine over a real socket, as an initiator of childless IKE SAs (RFC
 * 6023): for benches and the lab. Signs and verifies in line, so that its CPU
 * time is all there is.
 */
#ifndef T_INITIATOR_H
#define T_INITIATOR_H

#include "ike/ike.h"

#define INITIATOR_JOBS 1024

struct initiator {
	struct ike *ike;
	struct path path;
	void (*event)(struct initiator *initiator, const struct ike_event *event);
	/* Sees each datagram first; true: it goes no further. NULL: none. */
	bool (*steal)(struct initiator *initiator, const uint8_t *data, size_t len);
	int fd;
	struct ike_job jobs[INITIATOR_JOBS]; /* a ring */
	size_t job_at, job_end;
	uint64_t timer_us;
};

/* Monotonic, microseconds. */
uint64_t initiator_clock_us(void);
/* Binds port 500 of `local` to talk to that of `remote`; false, with errno's text on stderr, when
 * it cannot. */
bool initiator_open(struct initiator *initiator, const char *local, const char *remote);
/* The engine, with a copy of this configuration; event (and steal) must be set. */
void initiator_configure(struct initiator *initiator, const struct ike_config *config);
/* One negotiation by the first connection; it ends in an event with this `user`. */
void initiator_begin(struct initiator *initiator, uint64_t user);
void initiator_send(struct initiator *initiator, const uint8_t *data, size_t len);
/* Waits at most so long for a datagram, then does everything that is due. */
void initiator_step(struct initiator *initiator, int wait_ms);
void initiator_close(struct initiator *initiator);

/* A whole file, 64 KiB at most; caller frees. Ends the program when it cannot be read. */
void *initiator_read_file(const char *name, size_t *len);

#endif
