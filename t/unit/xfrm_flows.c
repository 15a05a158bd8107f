/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts under lines, and the kernel's events, as dataplane.h promises: holds, shunts that end by
 * themselves, the way back, what cannot be; events that were lost.
 */
#include "t/unit/xfrm_world.h"

static struct dp_line lines[3];

static void begin(void)
{
	lines[0] = make_line(1, PRIVATE, "10.1.0.0/16", 0, 0);
	lines[1] = make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0);
	lines[2] = make_line(3, PRIVATE_OR_CLEAR, "10.3.0.1/32", 0, 0);
	set_lines(lines, ARRAY_LEN(lines));
}

static int shunt(const struct dp_flow *flow, enum dp_stance stance, uint32_t lifetime_s)
{
	dp_shunt(dp, flow, stance, lifetime_s, take_answer, NULL);
	return answer_of_request();
}

static int idle(const struct dp_flow *flow)
{
	dp_idle(dp, flow, take_answer, NULL);
	return answer_of_request();
}

static int hold(const struct dp_flow *flow)
{
	dp_hold(dp, flow, take_answer, NULL);
	return answer_of_request();
}

/* --- requests ----------------------------------------------------------------------------------- */

static unsigned order[4], order_count;

static void note_order(void *arg, int error)
{
	(void)error;
	if (order_count < ARRAY_LEN(order))
		order[order_count] = *(const unsigned *)arg;
	order_count++;
}

static void test_answers(void)
{
	static const unsigned numbers[] = {1, 2, 3, 4};
	struct dp_flow flow = make_flow(1, "10.1.0.5"), nowhere = make_flow(9, "10.1.0.5");

	dp_hold(dp, &flow, note_order, (void *)&numbers[0]);
	dp_hold(dp, &nowhere, note_order, (void *)&numbers[1]);
	dp_shunt(dp, &flow, DP_BLOCK, 0, note_order, (void *)&numbers[2]);
	dp_idle(dp, &flow, note_order, (void *)&numbers[3]);
	is_int(order_count, 0, "no request is answered from inside");
	wait_for(&order_count, 4);
	loop_step(loop, false);
	is_int(order_count, 4, "each is answered once");
	ok(order[0] == 1 && order[1] == 2 && order[2] == 3 && order[3] == 4, "in the order of the requests");
	is_int(hold(&nowhere), -ENOENT, "a flow of no line is refused");
	is_int(shunt(&nowhere, DP_BLOCK, 1), -ENOENT, "and its shunt");
	is_int(idle(&nowhere), 0, "there is nothing to end");
}

/* --- holds ----------------------------------------------------------------------------------------- */

/* The host's trap is in its line's slot, before the line's own. */
static bool is_hold(const struct entry *entry)
{
	return is_ours(entry) && entry->key.dir == ENTRY_OUT && prefix_is_host(&entry->key.dst) &&
	       (entry->priority & 0xf) == ENTRY_HOST;
}

static void test_hold(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.6");
	unsigned before = acquires;

	is_int(hold(&flow), 0, "a host is held");
	is_int((intmax_t)count_policies(is_hold), 1, "by one policy");
	is_int(hold(&flow), 0, "and again");
	is_int((intmax_t)count_policies(is_hold), 1, "which stays one");
	is_int(send_udp("10.1.0.6", 9), 0, "its packet");
	is_int(on_wire("10.1.0.6", 0), 0, "waits");
	ok(wait_for(&acquires, before + 1) && last_acquire.line == 1, "and acquires for the line");
	ok(addr_equal(&last_acquire.selector.remote.addr, &flow.remote), "and the host");
	is_int(idle(&flow), 0, "back to the line");
	is_int((intmax_t)count_policies(is_hold), 0, "the hold goes");
	is_int(send_udp("10.1.0.6", 9), 0, "the next packet");
	ok(wait_so_long(&acquires, before + 2, SOON_MS), "acquires at once: no larval state is left (kernel.md 0.13)");
	is_int(on_wire("10.1.0.6", 0), 0, "and none of them left");
}

/* A request reads what has come meanwhile; it is told afterwards. */
static void test_order(void)
{
	struct dp_flow flow = make_flow(2, "10.2.0.8");
	unsigned before = acquires;

	is_int(hold(&flow), 0, "a host is held");
	send_udp("10.1.0.9", 9);
	dp_shunt(dp, &flow, DP_BLOCK, 0, NULL, NULL);
	is_int((int)(acquires - before), 0, "no acquire is told from inside a request");
	ok(wait_so_long(&acquires, before + 1, SOON_MS), "but soon");
	idle(&flow);
}

/* --- shunts ----------------------------------------------------------------------------------------- */

static void test_shunts(void)
{
	struct dp_flow private_flow = make_flow(1, "10.1.0.10"), flow = make_flow(2, "10.2.0.10");

	is_int(shunt(&private_flow, DP_ALLOW, 5), -EPERM, "no shunt opens a closed line");
	is_int(send_udp("10.1.0.10", 9), 0, "its packet");
	is_int(on_wire("10.1.0.10", 0), 0, "waits");
	is_int(shunt(&private_flow, DP_BLOCK, 5), 0, "one that closes");
	is_int(send_udp("10.1.0.10", 9), EPERM, "is felt at once");
	is_int(send_udp("10.2.0.10", 9), 0, "a packet to private-or-clear");
	is_int(on_wire("10.2.0.10", 0), 0, "waits");
	is_int(shunt(&flow, DP_ALLOW, 0), 0, "until it is let pass");
	is_int(on_wire("10.2.0.10", 1), 1, "then it leaves");
	is_int(send_udp("10.2.0.10", 9), 0, "the next");
	is_int(on_wire("10.2.0.10", 1), 1, "does not wait");
	is_int(send_udp("10.2.0.11", 9), 0, "its neighbour's packet");
	is_int(on_wire("10.2.0.11", 0), 0, "waits all the same");
	idle(&private_flow);
	idle(&flow);
}

/* Its padding says nothing. */
static bool has_ended(const struct dp_flow *flow)
{
	return last_ended.line == flow->line && addr_equal(&last_ended.local, &flow->local) &&
	       addr_equal(&last_ended.remote, &flow->remote);
}

/* The kernel ends it; a connected socket does not go on in the clear (K4). */
static void test_end_of_shunt(const char *remote, uint32_t line)
{
	struct dp_flow flow = make_flow(line, remote);
	unsigned before = ends, acquired;
	int fd = -1;

	is_int(shunt(&flow, DP_ALLOW, 1), 0, "a shunt of a second");
	fd = open_udp(NULL, remote, 9);
	ok(send(fd, "x", 1, 0) == 1, "a connected socket sends");
	is_int(on_wire(remote, 1), 1, "in the clear");
	ok(wait_for(&ends, before + 1), "its end is told");
	ok(ends == before + 1 && has_ended(&flow), "once, with the flow");
	acquired = acquires;
	for (int i = 0; i < 3; i++)
		send(fd, "x", 1, 0);
	is_int(on_wire(remote, 0), 0, "then the socket's packets wait");
	ok(wait_so_long(&acquires, acquired + 1, SOON_MS) && last_acquire.line == line, "and acquire");
	close(fd);
	idle(&flow);
}

/* A shunt that was replaced before its end is over is not told. */
static void test_replaced_shunt(void)
{
	struct dp_flow flow = make_flow(2, "10.2.0.30"), other = make_flow(2, "10.2.0.31");
	unsigned before = ends;

	shunt(&flow, DP_ALLOW, 1);
	shunt(&flow, DP_BLOCK, 0);
	shunt(&other, DP_BLOCK, 2);
	ok(wait_for(&ends, before + 1), "a later shunt of another host ends");
	ok(ends == before + 1 && has_ended(&other), "the replaced one was not told");
	is_int(send_udp("10.2.0.30", 9), EPERM, "and its successor stands");
	idle(&flow);
}

static bool is_block_of_host(const struct entry *entry)
{
	return is_ours(entry) && entry->action == ENTRY_BLOCK && (entry->priority & 0xf) == ENTRY_HOST;
}

/* The kernel has ended a shunt, we have not read that yet, and the flow is ended. */
static void test_end_and_idle(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.32");
	uint64_t end = now_ms() + LIMIT_MS;

	is_int(shunt(&flow, DP_BLOCK, 1), 0, "a shunt of a second");
	while (count_policies(is_block_of_host) && now_ms() < end)
		usleep(20000);
	is_int((intmax_t)count_policies(is_block_of_host), 0, "ends in the kernel");
	is_int(idle(&flow), 0, "its flow ends before that was heard");
	is_int(hold(&flow), 0, "and begins again");
	is_int(idle(&flow), 0, "and ends");
}

/* The same, and another shunt comes before that was heard: the end was not its end. */
static void test_end_and_again(void)
{
	struct dp_flow flow = make_flow(2, "10.2.0.33"), other = make_flow(2, "10.2.0.34");
	uint64_t end = now_ms() + LIMIT_MS;
	unsigned before = ends;

	shunt(&flow, DP_BLOCK, 1);
	while (count_policies(is_block_of_host) && now_ms() < end)
		usleep(20000);
	dp_shunt(dp, &flow, DP_ALLOW, 600, take_answer, NULL);
	is_int(answer_of_request(), 0, "a shunt that has ended is followed by another");
	shunt(&other, DP_BLOCK, 1);
	ok(wait_for(&ends, before + 1), "a third ends");
	ok(ends == before + 1 && has_ended(&other), "the second has not");
	is_int(send_udp("10.2.0.33", 9), 0, "its packet");
	is_int(on_wire("10.2.0.33", 1), 1, "passes");
	is_int(idle(&flow), 0, "until it is ended");
	is_int(send_udp("10.2.0.33", 9), 0, "then one");
	is_int(on_wire("10.2.0.33", 0), 0, "waits");
}

/* --- others --------------------------------------------------------------------------------------------- */

/* As another IKE daemon does when it starts. */
static bool flush_policies(void)
{
	struct nlmsghdr request = {.nlmsg_len = NLMSG_LENGTH(0),
		.nlmsg_type = XFRM_MSG_FLUSHPOLICY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
	bool good = send(fd, &request, request.nlmsg_len, 0) > 0 && recv(fd, &answer, sizeof(answer), 0) > 0 &&
		    answer.error.error == 0;

	close(fd);
	return good;
}

static bool all_come_back(size_t wanted)
{
	uint64_t end = now_ms() + LIMIT_MS;

	while (count_policies(is_ours) != wanted && now_ms() < end) {
		loop_step(loop, false);
		usleep(2000);
	}
	return count_policies(is_ours) == wanted;
}

static void test_flush(void)
{
	struct dp_flow held = make_flow(1, "10.1.0.36"), passed = make_flow(2, "10.2.0.36");
	size_t ours = count_policies(is_ours);
	unsigned before = ends, acquired;

	hold(&held);
	shunt(&passed, DP_ALLOW, 600);
	for (int i = 0; i < 2; i++) {
		ok(flush_policies() && count_policies(is_ours) == 0, "somebody flushes all policies");
		ok(all_come_back(ours + 1), "those of lines and holds come back");
	}
	ok(ends == before + 1 && has_ended(&passed), "a shunt has ended with it, and is told");
	acquired = acquires;
	is_int(send_udp("10.1.0.36", 9), 0, "a packet to a private host");
	is_int(on_wire("10.1.0.36", 0), 0, "waits as before");
	ok(wait_so_long(&acquires, acquired + 1, SOON_MS), "and acquires");
	idle(&held);
	idle(&passed);
	is_int((intmax_t)count_policies(is_ours), (intmax_t)ours, "all is as it was");
}

/* --- tunnels ------------------------------------------------------------------------------------------ */

static struct sa_pair make_pair(const struct dp_flow *flow)
{
	struct sa_pair pair = {.mode = IPSEC_TUNNEL, .encr = IPSEC_ENCR_AES_GCM_16};

	pair.in = (struct ipsec_sa){.spi = 0x1001, .src = flow->remote, .dst = flow->local, .encr_key_len = 20};
	pair.out = (struct ipsec_sa){.spi = 0x2002, .src = flow->local, .dst = flow->remote, .encr_key_len = 20};
	return pair;
}

static bool is_established(const struct entry *entry)
{
	return is_ours(entry) && entry->action == ENTRY_PROTECT && entry->reqid >= ENTRY_REQID_FIRST &&
	       entry->reqid <= ENTRY_REQID_LAST;
}

/* A kernel without ESP refuses: then nothing of the pair may stay, and the host stays held. */
static void test_establish(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.40");
	struct sa_pair pair = make_pair(&flow);
	int error;

	hold(&flow);
	dp_establish(dp, &flow, &pair, take_answer, NULL);
	error = answer_of_request();
	if (error) {
		diag("this kernel has no ESP: %s", strerror(-error));
		is_int(count_states(), 0, "of a pair that was refused no SA stays");
		is_int((intmax_t)count_policies(is_established), 0, "and no policy");
	} else {
		is_int(count_states(), 2, "a pair is two SAs");
		is_int((intmax_t)count_policies(is_established), 3, "and policies for in, fwd and out");
		is_int(send_udp("10.1.0.40", 9), 0, "a packet");
		is_int(on_wire("10.1.0.40", 1), 1, "leaves in ESP");
	}
	is_int(idle(&flow), 0, "the flow ends");
	is_int((intmax_t)(count_states() + count_policies(is_established)), 0, "nothing of it is left");
	is_int(send_udp("10.1.0.40", 9), 0, "the line");
	is_int(on_wire("10.1.0.40", 0), 0, "holds its host again");
}

/* A reload that takes the line away takes its flows, and the rest stays. */
static void test_line_goes(void)
{
	struct dp_flow stays = make_flow(1, "10.1.0.50"), goes = make_flow(2, "10.2.0.50");

	hold(&stays);
	shunt(&goes, DP_BLOCK, 0);
	is_int(set_lines(lines, 1), 0, "two lines go");
	is_int((intmax_t)count_policies(is_hold), 1, "the host of the one that stays is held");
	is_int(send_udp("10.2.0.50", 9), 0, "the other is nobody's");
	is_int(on_wire("10.2.0.50", 1), 1, "and passes");
	is_int(hold(&goes), -ENOENT, "its line is not known any more");
	set_lines(lines, ARRAY_LEN(lines));
	idle(&stays);
}

/* --- lost events ---------------------------------------------------------------------------------------- */

/* Acquires for ever more hosts, unheard, until the socket overflows. */
static void test_overrun(void)
{
	static const unsigned burst = 1000, most = 40000;
	char text[32];
	unsigned sent = 0, before;

	while (losses == 0 && sent < most) {
		/* The loop is stopped so long that a burst of `sent` is not heard. */
		unsigned end = sent ? sent * 2 : burst;

		for (; sent < end; sent++) {
			snprintf(text, sizeof(text), "10.1.%u.%u", 16 + sent / 250, 1 + sent % 250);
			send_udp(text, 9);
		}
		loop_step(loop, false);
	}
	if (!losses) {
		ok(true, "lost events # SKIP %u acquires did not fill the socket", sent);
		return;
	}
	is_int(losses, 1, "a loss is told once");
	loop_step(loop, false);
	before = acquires;
	send_udp(text, 9);
	ok(wait_so_long(&acquires, before + 1, SOON_MS), "the host whose acquire was lost is not deaf");
	before = acquires;
	send_udp("10.1.16.1", 9);
	ok(wait_so_long(&acquires, before + 1, SOON_MS), "nor the first");
}

/* --- settings ---------------------------------------------------------------------------------------------- */

static int read_sysctl(const char *path)
{
	FILE *file = fopen(path, "r");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static void test_settings(void)
{
	is_int(read_sysctl("/proc/sys/net/core/xfrm_larval_drop"), 0, "packets wait for their SA (K9)");
	is_int(read_sysctl("/proc/sys/net/core/xfrm_acq_expires"), 5, "and who was not heard is not deaf for long");
}

int main(void)
{
	if (!world_begin())
		return 0;
	plane_open();
	begin();
	test_settings();
	test_answers();
	test_hold();
	test_order();
	test_shunts();
	test_end_of_shunt("10.2.0.20", 2);
	test_end_of_shunt("10.3.0.1", 3);
	test_replaced_shunt();
	test_end_and_idle();
	test_end_and_again();
	test_flush();
	test_establish();
	test_line_goes();
	test_overrun();
	dp_close(dp);
	return world_done();
}
