/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams in number (batch.h), over recvmmsg(2) and sendmmsg(2). */
#include "resolver/batch.h"

#include "lib/mem.h"
#include "lib/pktinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* So many answers may wait for each other: about a tenth of a millisecond. */
#define DATAGRAMS 32
#define IN_ROOM 4096 /* of a query; the longest name and every option that is in use fit */
#define OUT_ROOM 1280

union control {
	struct cmsghdr align;
	char room[PKTINFO_ROOM];
};

/* One way, a slot for each datagram. */
struct slots {
	struct mmsghdr headers[DATAGRAMS];
	struct iovec pieces[DATAGRAMS];
	struct sockaddr_storage names[DATAGRAMS];
	union control controls[DATAGRAMS];
};

/* Owned by the listener. */
struct batch {
	int fd;
	struct addr bound;
	bool any;	 /* bound to all addresses: each datagram has a local one of its own */
	bool gathering;
	size_t received, gathered;
	struct slots in, out;
	uint8_t in_data[DATAGRAMS][IN_ROOM];
	uint8_t out_data[DATAGRAMS][OUT_ROOM];
};

static void init_slots(struct slots *slots, uint8_t *data, size_t room)
{
	for (size_t i = 0; i < DATAGRAMS; i++) {
		struct msghdr *header = &slots->headers[i].msg_hdr;

		slots->pieces[i] = (struct iovec){.iov_base = data + i * room, .iov_len = room};
		header->msg_name = &slots->names[i];
		header->msg_iov = &slots->pieces[i];
		header->msg_iovlen = 1;
	}
}

struct batch *batch_new(int fd, const struct addr *bound)
{
	struct batch *batch = mem_new(struct batch);

	batch->fd = fd;
	batch->bound = *bound;
	batch->any = addr_is_any(bound);
	init_slots(&batch->in, batch->in_data[0], IN_ROOM);
	init_slots(&batch->out, batch->out_data[0], OUT_ROOM);
	batch->received = DATAGRAMS;
	return batch;
}

void batch_free(struct batch *batch)
{
	free(batch);
}

/* --- in -------------------------------------------------------------------------------------- */

static void reset_in(struct batch *batch, size_t index)
{
	struct msghdr *header = &batch->in.headers[index].msg_hdr;

	header->msg_namelen = sizeof(batch->in.names[index]);
	header->msg_control = batch->any ? batch->in.controls[index].room : NULL;
	header->msg_controllen = batch->any ? PKTINFO_ROOM : 0;
}

size_t batch_receive(struct batch *batch)
{
	int got;

	/* The last call has filled in what it used, and no more. */
	for (size_t i = 0; i < batch->received; i++)
		reset_in(batch, i);
	got = recvmmsg(batch->fd, batch->in.headers, DATAGRAMS, MSG_DONTWAIT, NULL);
	batch->received = got > 0 ? (size_t)got : 0;
	batch->gathering = got > 0;
	return batch->received;
}

void batch_get(const struct batch *batch, size_t index, struct batch_datagram *out)
{
	const struct mmsghdr *header = &batch->in.headers[index];
	struct msghdr msg = header->msg_hdr;

	*out = (struct batch_datagram){.data = batch->in_data[index],
		.len = msg.msg_flags & MSG_TRUNC ? 0 : header->msg_len,
		.local = batch->bound};
	endpoint_from_sockaddr((const struct sockaddr *)&batch->in.names[index], &out->remote);
	if (batch->any)
		pktinfo_read(&msg, &out->local);
}

/* --- out ------------------------------------------------------------------------------------- */

static void send_gathered(struct batch *batch)
{
	size_t done = 0;

	/* The call for many gives up the processor between two, also when there is one. */
	if (batch->gathered == 1)
		done = sendmsg(batch->fd, &batch->out.headers[0].msg_hdr, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	while (done < batch->gathered) {
		int sent = sendmmsg(batch->fd, batch->out.headers + done,
			(unsigned)(batch->gathered - done), MSG_NOSIGNAL | MSG_DONTWAIT);

		/* One that is refused does not take the others along. */
		done += sent > 0 ? (size_t)sent : 1;
	}
	batch->gathered = 0;
}

void batch_send(struct batch *batch, const struct addr *local, const struct endpoint *to,
	const uint8_t *data, size_t len)
{
	size_t slot = batch->gathered;
	struct msghdr *header = &batch->out.headers[slot].msg_hdr;
	unsigned name_len;

	if (!batch->gathering || len > OUT_ROOM) {
		pktinfo_send(batch->fd, local, to, NULL, 0, data, len);
		return;
	}
	memcpy(batch->out_data[slot], data, len);
	batch->out.pieces[slot].iov_len = len;
	endpoint_to_sockaddr(to, &batch->out.names[slot], &name_len);
	header->msg_namelen = name_len;
	header->msg_control = batch->any ? batch->out.controls[slot].room : NULL;
	header->msg_controllen = 0;
	if (batch->any)
		pktinfo_put(header, local);
	if (++batch->gathered == DATAGRAMS)
		send_gathered(batch);
}

void batch_flush(struct batch *batch)
{
	send_gathered(batch);
	batch->gathering = false;
}
