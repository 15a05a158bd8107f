/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's policy hash (xfrm/search.c): its thresholds are ours while anything of ours stands,
 * and theirs afterwards; many lines that go at once open nothing on the way.
 */
#include "t/unit/xfrm_world.h"

#include <pthread.h>

#define NETS 400

static void take_thresholds(void *arg, const struct nlmsghdr *message)
{
	decode_thresholds(message, arg);
}

static bool thresholds_are(uint8_t local4, uint8_t remote4, uint8_t local6, uint8_t remote6)
{
	struct search_thresholds found = {0};

	netlink_query(reader, encode_thresholds_get(), take_thresholds, &found);
	return found.ipv4.local == local4 && found.ipv4.remote == remote4 && found.ipv6.local == local6 &&
	       found.ipv6.remote == remote6;
}

static int flush(void)
{
	dp_flush(dp, take_answer, NULL);
	return answer_of_request();
}

static void test_life(void)
{
	struct search_thresholds theirs = {{24, 20}, {64, 48}};
	struct dp_line line = make_line(1, PRIVATE, "10.1.0.0/16", 0, 0);

	ok(thresholds_are(32, 32, 128, 128), "the kernel hashes whole addresses");
	is_int(netlink_request(reader, encode_thresholds(&theirs)), 0, "somebody has set something else");
	plane_open();
	ok(thresholds_are(0, 32, 0, 128), "ours ask for nothing of our side");
	set_lines(&line, 1);
	dp_stop(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "a stop");
	ok(thresholds_are(0, 32, 0, 128), "leaves them, for closed lines stay");
	is_int(flush(), 0, "a flush");
	ok(thresholds_are(24, 20, 64, 48), "gives back what was found");
	dp_close(dp);
	theirs = (struct search_thresholds){{32, 32}, {128, 128}};
	netlink_request(reader, encode_thresholds(&theirs));
	plane_open();
	dp_close(dp); /* a crash */
	plane_open();
	is_int(flush(), 0, "a flush after a crash");
	ok(thresholds_are(32, 32, 128, 128), "gives back the kernel's own");
	dp_close(dp);
}

/* Networks in a network: found in the hash at their own length, each by its own line. */
static void test_nested(void)
{
	static struct dp_line lines[NETS + 1];
	char text[32];

	plane_open();
	lines[NETS] = make_line(1 + NETS, PRIVATE, "10.1.0.0/16", 0, 0);
	for (unsigned i = 0; i < NETS; i++) {
		snprintf(text, sizeof(text), "10.1.%u.%u/28", i / 16, i % 16 * 16);
		lines[i] = make_line(1 + i, i % 2 ? CLEAR : BLOCK, text, 0, 0);
	}
	is_int(set_lines(lines, NETS + 1), 0, "four hundred networks in one");
	ok(thresholds_are(0, 28, 0, 128), "have thresholds of their own");
	is_int(send_udp("10.1.20.1", 9), EPERM, "one that is blocked");
	is_int(send_udp("10.1.20.17", 9), 0, "one that is clear");
	is_int(on_wire("10.1.20.17", 1), 1, "leaves");
	is_int(send_udp("10.1.200.1", 9), 0, "what is in the wide one alone");
	is_int(on_wire("10.1.200.1", 0), 0, "waits");
	dp_close(dp);
	plane_open();
	ok(thresholds_are(0, 28, 0, 128), "the next run finds them");
	is_int(set_lines(lines + NETS, 1), 0, "and one line");
	ok(thresholds_are(0, 32, 0, 128), "needs none of its own");
	is_int(flush(), 0, "a flush");
	ok(thresholds_are(32, 32, 128, 128), "gives back the kernel's");
	dp_close(dp);
}

/* --- many at once -------------------------------------------------------------------------------- */

static volatile bool stop_sending;
static unsigned sent, refused;

static void *send_all_along(void *to)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage name;
	unsigned len;

	endpoint_to_sockaddr(to, &name, &len);
	while (!stop_sending) {
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&name, len) == 1)
			sent++;
		else
			refused++;
	}
	close(fd);
	return NULL;
}

static size_t make_nets(struct dp_line *lines)
{
	char text[32];

	for (unsigned i = 0; i < NETS; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", 100 + i / 200, i % 200);
		lines[i] = make_line(1 + i, BLOCK, text, 0, 0);
	}
	return NETS;
}

static void test_many(void)
{
	static struct dp_line lines[NETS];
	struct endpoint stays = {.port = 9};
	pthread_t sender;
	size_t all;

	addr_parse("10.100.0.7", &stays.addr);
	plane_open();
	is_int(set_lines(lines, make_nets(lines)), 0, "four hundred networks");
	all = count_policies(is_ours);
	pthread_create(&sender, NULL, send_all_along, &stays);
	for (int i = 0; i < 20; i++) {
		set_lines(lines, 10);
		set_lines(lines, NETS);
	}
	is_int(last_error, 0, "most of them go and come twenty times");
	stop_sending = true;
	pthread_join(sender, NULL);
	ok(refused > 0, "a sender to one that stays was refused all along (%u times)", refused);
	is_int(sent, 0, "and never sent");
	is_int(on_wire("10.100.0.7", 0), 0, "nothing has left");
	is_int((intmax_t)count_policies(is_ours), (intmax_t)all, "all are there, once");
	ok(thresholds_are(0, 32, 0, 128), "the thresholds are what they were");
	is_int(send_udp("10.101.5.7", 9), EPERM, "one that went and came blocks");
	for (size_t i = 1; i < NETS; i++) {
		lines[i].out = DP_ALLOW;
		lines[i].in = DP_IN_ALLOW;
		lines[i].closed = false;
	}
	set_lines(lines, NETS);
	dp_stop(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "a stop where many go");
	ok(thresholds_are(0, 32, 0, 128), "leaves the thresholds too");
	is_int(send_udp("10.100.0.7", 9), EPERM, "and what is closed");
	is_int(flush(), 0, "a flush");
	is_int((intmax_t)count_policies(NULL), 0, "leaves none");
	dp_close(dp);
}

int main(void)
{
	if (!world_begin())
		return 0;
	test_life();
	test_nested();
	test_many();
	return world_done();
}
