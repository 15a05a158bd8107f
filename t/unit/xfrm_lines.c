/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines in the kernel, as dataplane.h promises: what they do to packets, their order (P1), updates
 * (K4), take-over and foreign policies (K2), what stays when we stop (K5).
 */
#include "t/unit/xfrm_world.h"

#include "lib/strbuf.h"

static uint64_t changes_total(struct changes changes)
{
	return changes.added + changes.updated + changes.deleted + changes.flushed;
}

/* An address of each kind is told from the others by what a datagram to it meets. */
static void test_kinds(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0),
		make_line(3, CLEAR, "10.1.3.0/24", 0, 0), make_line(4, BLOCK, "10.4.0.0/16", 0, 0)};

	plane_open();
	is_int(set_lines(lines, ARRAY_LEN(lines)), 0, "lines are installed, and answered once");
	is_int(send_udp("10.1.0.7", 9), 0, "a packet to private is taken");
	ok(wait_for(&acquires, 1), "an acquire is told");
	is_int(last_acquire.line, 1, "it names its line");
	is_int(on_wire("10.1.0.7", 0), 0, "the packet waits");
	is_int(send_udp("10.2.0.7", 9), 0, "the same for private-or-clear");
	ok(wait_for(&acquires, 2) && last_acquire.line == 2, "with its line");
	is_int(send_udp("10.4.0.7", 9), EPERM, "block: the sender sees EPERM");
	is_int(send_udp("10.1.3.7", 9), 0, "clear within private");
	is_int(on_wire("10.1.3.7", 1), 1, "leaves");
	is_int(send_udp("10.5.0.7", 9), 0, "an address that no line covers");
	is_int(on_wire("10.5.0.7", 1), 1, "leaves");
	is_int(on_wire("10.1.0.7", 0) + on_wire("10.2.0.7", 0) + on_wire("10.4.0.7", 0), 0,
		"none of the others did");
}

/* What has an address of ours that came unannounced meets the block beneath the trap (K7). */
static void test_other_source(void)
{
	int fd;

	add_address("10.9.0.77", 32, (int)if_nametoindex("wire0"));
	fd = open_udp("10.9.0.77", "10.1.0.8", 9);
	is_int(fd, -EPERM, "private from a source without a trap is refused");
	if (fd >= 0)
		close(fd);
	is_int(on_wire("10.1.0.8", 0), 0, "and does not leave");
}

/* P1: longer prefix, then ports; each port of one address by its own line. */
static void test_precedence(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, CLEAR, "10.1.0.0/16", IPPROTO_UDP, 443),
		make_line(3, BLOCK, "10.1.5.0/24", 0, 0),
		make_line(4, CLEAR, "10.1.5.5/32", 0, 0),
		make_line(5, BLOCK, "10.1.5.5/32", IPPROTO_UDP, 53)};

	is_int(set_lines(lines, ARRAY_LEN(lines)), 0, "nested lines and ports");
	is_int(send_udp("10.1.0.9", 443), 0, "a clear port of a private prefix");
	is_int(on_wire("10.1.0.9", 1), 1, "leaves");
	is_int(send_udp("10.1.0.9", 80), 0, "another port of that address");
	is_int(on_wire("10.1.0.9", 0), 0, "waits");
	is_int(send_udp("10.1.5.9", 443), EPERM, "a longer blocked prefix is before the port");
	is_int(send_udp("10.1.5.5", 80), 0, "a clear host is before its prefix");
	is_int(on_wire("10.1.5.5", 1), 1, "and leaves");
	is_int(send_udp("10.1.5.5", 53), EPERM, "a blocked port of that host");
}

/* K4: only what differs is written, in place. */
static void test_difference(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0)};
	struct changes changes;

	set_lines(lines, 2);
	changes_take();
	is_int(set_lines(lines, 2), 0, "the same lines again");
	is_int((int)changes_total(changes_take()), 0, "change no policy");
	lines[1].out = DP_TRAP_PASS;
	is_int(set_lines(lines, 2), 0, "a trap that lets pass");
	changes = changes_take();
	is_int(changes.updated, 1, "is one update");
	is_int((int)changes_total(changes), 1, "and nothing else");
	is_int(send_udp("10.2.0.8", 9), 0, "a packet to it");
	is_int(on_wire("10.2.0.8", 1), 1, "passes");
}

/* K4, kernel.md 0.1: who had a clear route keeps it after a deletion, unless an insertion follows. */
static void test_heal(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, CLEAR, "10.1.3.0/24", 0, 0)};
	int fd;

	set_lines(lines, 2);
	fd = open_udp(NULL, "10.1.3.8", 9);
	ok(send(fd, "x", 1, 0) == 1, "a connected socket sends to clear");
	is_int(on_wire("10.1.3.8", 1), 1, "in the clear");
	is_int(set_lines(lines, 1), 0, "the clear line goes");
	for (int i = 0; i < 5; i++)
		send(fd, "x", 1, 0);
	is_int(on_wire("10.1.3.8", 0), 0, "nothing more of that socket is clear");
	close(fd);
}

static bool is_ipv6(const struct entry *entry)
{
	return entry->key.dst.addr.family == ADDR_IPV6;
}

/* Lines of hosts come and go beside the others. */
static void test_hosts(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, CLEAR, "10.1.3.0/24", 0, 0)};
	struct dp_line host = make_line(7, PRIVATE, "10.1.3.9/32", 0, 0);
	struct dp_line port = make_line(8, BLOCK, "10.1.3.9/32", IPPROTO_UDP, 53);
	struct dp_line ipv6 = make_line(9, PRIVATE, "fd09:7::1/128", 0, 0);
	struct dp_line both[] = {host, port};
	struct dp_flow flow = make_flow(7, "10.1.3.9");
	uint32_t gone[] = {7, 8, 99};
	struct changes changes;

	set_lines(lines, 2);
	changes_take();
	is_int(change_lines(NULL, 0, &host, 1), 0, "a private host in a clear network");
	changes = changes_take();
	is_int(changes.updated, 4, "is four policies");
	is_int((int)changes_total(changes), 4, "and nothing else");
	is_int(send_udp("10.1.3.9", 9), 0, "its packet");
	is_int(on_wire("10.1.3.9", 0), 0, "waits");
	is_int(send_udp("10.1.3.10", 9), 0, "its neighbour's");
	is_int(on_wire("10.1.3.10", 1), 1, "leaves");
	dp_hold(dp, &flow, NULL, NULL);
	is_int(change_lines(gone, 3, both, 2), 0, "it stays, and has a blocked port too");
	is_int(send_udp("10.1.3.9", 53), EPERM, "which blocks");
	is_int(send_udp("10.1.3.9", 9), 0, "beside what waits");
	is_int(on_wire("10.1.3.9", 0), 0, "still");
	changes_take();
	is_int(change_lines(gone, 3, &port, 1), 0, "the host goes, the port stays");
	is_int(changes_take().deleted, 4, "with all that it had");
	dp_hold(dp, &flow, take_answer, NULL);
	is_int(answer_of_request(), -ENOENT, "and the flow that it had");
	is_int(send_udp("10.1.3.9", 9), 0, "its packet");
	is_int(on_wire("10.1.3.9", 1), 1, "leaves");
	is_int(send_udp("10.1.3.9", 53), EPERM, "but for that port");
	is_int((intmax_t)count_policies(is_ipv6), 0, "there is nothing of IPv6");
	is_int(change_lines(NULL, 0, &ipv6, 1), 0, "until a first host of it comes");
	ok(count_policies(is_ipv6) > 20, "then the exemptions are there (K3)");
	is_int(change_lines(&ipv6.id, 1, NULL, 0), 0, "and it goes");
	is_int((intmax_t)count_policies(is_ipv6), 0, "and they");
	is_int(set_lines(lines, 2), 0, "all lines");
	is_int(send_udp("10.1.3.9", 53), 0, "know nothing of hosts");
	is_int(on_wire("10.1.3.9", 1), 1, "any more");
}

/* K2: another run of ours finds everything as it is. */
static void test_take_over(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, BLOCK, "10.4.0.0/16", 0, 0),
		make_line(4, PRIVATE_OR_CLEAR, "fd09:1::/48", 0, 0),
		make_line(3, PRIVATE, "10.6.0.1/32", 0, 0)};
	struct dp_flow flow = make_flow(1, "10.1.0.20");
	size_t before;
	struct changes changes;

	is_int(set_lines(lines, 4), 0, "lines of two families");
	before = count_policies(is_ours);
	dp_hold(dp, &flow, take_answer, NULL);
	is_int(answer_of_request(), 0, "a host that is held");
	changes_take();
	dp_close(dp); /* as a crash leaves it */
	is_int((int)changes_total(changes_take()), 0, "a crash changes nothing");
	plane_open();
	is_int(set_lines(lines, 4), 0, "the next run with the same lines");
	changes = changes_take();
	is_int(changes.deleted, 1, "deletes what was the held host's");
	is_int((int)changes_total(changes), 1, "and touches nothing else");
	is_int((intmax_t)count_policies(is_ours), (intmax_t)before, "all is there, once");
	dp_close(dp);
	plane_open();
	changes_take();
	is_int(set_lines(lines, 3), 0, "a run with a line less");
	changes = changes_take();
	is_int(changes.deleted, 4, "deletes what is stale");
	is_int((int)changes_total(changes), 4, "and touches nothing else");
	is_int(send_udp("10.1.0.21", 9), 0, "what stayed still traps");
	is_int(on_wire("10.1.0.21", 0), 0, "and holds");
}

/* Ours alone are such numbers (entry.h), but nobody is told not to use them. */
#define FOREIGN (ENTRY_EXEMPT + 7u)

/* Like a private line's trap, to the last byte of its selector, but not ours. */
static struct entry foreign_twin(const char *remote)
{
	struct entry entry = {.priority = FOREIGN, .action = ENTRY_ALLOW};

	memset(&entry.key, 0, sizeof(entry.key));
	entry.key.dir = ENTRY_OUT;
	prefix_parse(ME "/32", &entry.key.src, NULL);
	prefix_parse(remote, &entry.key.dst, NULL);
	return entry;
}

/* --- larval states ----------------------------------------------------------------------------- */

static const char *larval_dst;
static unsigned larvals;

static void count_larval(void *arg, const struct nlmsghdr *message)
{
	struct decoded_state state;
	struct addr wanted;

	(void)arg;
	addr_parse(larval_dst, &wanted);
	if (message->nlmsg_type == XFRM_MSG_NEWSA && decode_state(message, &state) && state.spi == 0)
		larvals += addr_equal(&state.dst, &wanted);
}

static unsigned count_larvals(const char *dst)
{
	larval_dst = dst;
	larvals = 0;
	netlink_query(reader, encode_sa_dump(), count_larval, NULL);
	return larvals;
}

/* K2: whose acquires the run before has heard would be deaf to us; others' are not ours to end. */
static void test_larvals(void)
{
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, CLEAR, "10.1.3.0/24", 0, 0), make_line(3, PRIVATE, "10.1.4.0/24", 0, 0),
		make_line(4, PRIVATE, "10.7.0.3/32", 0, 0)};
	static const char *const ours[] = {"10.1.0.60", "10.1.4.60", "10.1.250.60", "10.7.0.3"};
	struct entry foreign = {.priority = FOREIGN, .action = ENTRY_PROTECT, .mode = IPSEC_TRANSPORT};
	unsigned before;

	set_lines(lines, 4);
	foreign.key = foreign_twin("10.77.0.0/16").key;
	foreign.tmpl_src.family = foreign.tmpl_dst.family = ADDR_IPV4;
	netlink_request(reader, encode_policy(&foreign));
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		send_udp(ours[i], 9);
	send_udp("10.77.0.1", 9);
	is_int(count_larvals("10.77.0.1"), 1, "somebody else's trap has fired");
	is_int(count_larvals("10.1.0.60"), 1, "and ours");
	dp_close(dp);
	plane_open();
	set_lines(lines, 4);
	is_int(count_larvals("10.77.0.1"), 1, "theirs is waited for after we come again");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		is_int(count_larvals(ours[i]), 0, ours[i]);
	before = acquires;
	send_udp("10.1.250.60", 9);
	ok(wait_so_long(&acquires, before + 1, SOON_MS), "our hosts are heard at once");
	netlink_request(reader, encode_policy_delete(&foreign.key));
}

static bool is_foreign(const struct entry *entry)
{
	return !is_ours(entry) && entry->priority == FOREIGN && entry->action == ENTRY_ALLOW;
}

/* The texts of all warnings. */
static char *all_warnings(void)
{
	struct strbuf all = {0};
	char **texts;
	size_t count = dp_warnings(dp, &texts);

	for (size_t i = 0; i < count; i++) {
		strbuf_printf(&all, "%s;", texts[i]);
		free(texts[i]);
	}
	free(texts);
	return all.text ? strbuf_take(&all) : mem_strdup("");
}

/* One more beside what is there: heard of, and told with these words. */
static void try_foreign(struct entry foreign, const char *words)
{
	unsigned before = foreign_changes;
	char *texts;

	is_int(netlink_request(reader, encode_policy(&foreign)), 0, "one more of theirs");
	ok(wait_for(&foreign_changes, before + 1), "we hear of it");
	texts = all_warnings();
	ok(words ? strstr(texts, words) != NULL : strchr(texts, ';')[1] == '\0', "%s", texts);
	free(texts);
	netlink_request(reader, encode_policy_delete(&foreign.key));
}

static void test_foreign_others(const struct dp_line *line)
{
	struct entry foreign = foreign_twin("10.1.0.0/16");
	unsigned before;

	wait_so_long(&foreign_changes, UINT32_MAX, 50);
	before = foreign_changes;
	is_int(set_lines(line, 1), 0, "our own changes");
	wait_so_long(&foreign_changes, before + 1, 50);
	is_int((int)(foreign_changes - before), 0, "are no news");
	foreign.key.src.len = 24;
	try_foreign(foreign, "(out, src 10.9.0.0/24 dst 10.1.0.0/16, priority 65799) outranks the closed line 10.1.0.0/16");
	foreign.priority = ENTRY_BAND_END;
	try_foreign(foreign, NULL); /* comes after, and has another selector */
	foreign.key = foreign_twin("10.1.0.0/16").key;
	foreign.key.dir = ENTRY_IN;
	foreign.key.src = line->remote;
	prefix_parse("0.0.0.0/0", &foreign.key.dst, NULL);
	try_foreign(foreign, "(in, src 10.1.0.0/16 dst 0.0.0.0/0, priority 79952) has the selector of ours, which comes");
	foreign.priority = entry_priority(line->slot, ENTRY_CLOSING);
	try_foreign(foreign, "has the selector and the priority of ours");
	foreign.key.src.len = 8;
	try_foreign(foreign, "(in, src 10.0.0.0/8 dst 0.0.0.0/0, priority 70988) outranks");
	foreign.action = ENTRY_BLOCK;
	try_foreign(foreign, NULL); /* closes as ours does */
}

static void test_foreign(void)
{
	struct dp_line line = make_line(1, PRIVATE, "10.1.0.0/16", 0, 0);
	struct entry foreign = foreign_twin("10.1.0.0/16");
	char **warnings;

	is_int(set_lines(NULL, 0), 0, "no lines");
	is_int(netlink_request(reader, encode_policy(&foreign)), 0, "somebody else's policy");
	dp_close(dp);
	plane_open();
	is_int(set_lines(&line, 1), 0, "a line of ours with the same selector");
	is_int((intmax_t)count_policies(is_foreign), 1, "theirs stays");
	is_int((intmax_t)dp_warnings(dp, &warnings), 1, "and is told");
	ok(strstr(warnings[0], "comes before it: line 10.1.0.0/16"), "%s", warnings[0]);
	free(warnings[0]);
	free(warnings);
	test_foreign_others(&line);
	dp_stop(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "we stop");
	is_int((intmax_t)count_policies(is_foreign), 1, "theirs stays");
	dp_flush(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "we flush");
	is_int((intmax_t)count_policies(is_foreign), 1, "theirs stays");
	is_int((intmax_t)count_policies(is_ours), 0, "of ours nothing does");
	is_int(netlink_request(reader, encode_policy_delete(&foreign.key)), 0, "theirs goes");
}

static bool is_exemption(const struct entry *entry)
{
	return is_ours(entry) && entry->priority == ENTRY_EXEMPT;
}

static bool is_ours_and_open(const struct entry *entry)
{
	return is_ours(entry) && !is_closed(entry) && !is_exemption(entry);
}

/* A line within a closed one, as daemon/lines.c has it. */
static struct dp_line make_exception(uint32_t id, enum kind kind, const char *prefix)
{
	struct dp_line line = make_line(id, kind, prefix, 0, 0);

	line.excepted = true;
	line.in = DP_IN_ALLOW;
	return line;
}

static void test_stop(void)
{
	static const char *const exceptions[] = {"10.1.3.9", "10.1.4.10", "10.1.5.1"};
	struct dp_line lines[] = {make_line(1, PRIVATE, "10.1.0.0/16", 0, 0),
		make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0),
		make_line(3, BLOCK, "10.4.0.0/16", 0, 0), make_line(4, PRIVATE, "10.6.0.1/32", 0, 0),
		make_exception(5, CLEAR, "10.1.3.0/24"), make_exception(6, PRIVATE_OR_CLEAR, "10.1.4.0/24"),
		make_exception(7, PRIVATE_OR_CLEAR, "10.1.5.1/32")};
	struct dp_flow flow = make_flow(4, "10.6.0.1"), held = make_flow(7, "10.1.5.1");
	intmax_t exemptions;

	set_lines(lines, ARRAY_LEN(lines));
	acquires = 0;
	send_udp("10.1.4.9", 9);
	ok(wait_for(&acquires, 1) && last_acquire.line == 6, "private-or-clear within private has its trap");
	dp_hold(dp, &held, NULL, NULL);
	exemptions = (intmax_t)count_policies(is_exemption);
	dp_hold(dp, &flow, NULL, NULL); /* nobody asks */
	dp_stop(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "a stop");
	is_int((intmax_t)count_policies(is_ours_and_open), 0, "takes away what opens");
	is_int((intmax_t)count_policies(is_exemption), exemptions, "and leaves what private is exempt from (K3)");
	is_int(send_udp("10.2.0.9", 9), 0, "private-or-clear");
	is_int(on_wire("10.2.0.9", 1), 1, "is open");
	send_udp("10.1.0.30", 9);
	send_udp("10.6.0.1", 9);
	is_int(on_wire("10.1.0.30", 0) + on_wire("10.6.0.1", 0), 0, "private is closed, a held host of it too");
	is_int(send_udp("10.4.0.9", 9), EPERM, "block is closed");
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
		is_int(send_udp(exceptions[i], 10), 0, "an exception to private (K6)");
		is_int(on_wire(exceptions[i], 1), 1, "is open");
	}
	dp_close(dp);
	plane_open();
	dp_flush(dp, take_answer, NULL);
	is_int(answer_of_request(), 0, "a flush by a run that has seen no lines");
	is_int((intmax_t)count_policies(NULL), 0, "opens all");
	is_int(send_udp("10.1.0.30", 9), 0, "what was private");
	is_int(on_wire("10.1.0.30", 1), 1, "is open");
}

int main(void)
{
	if (!world_begin())
		return 0;
	test_kinds();
	test_other_source();
	test_precedence();
	test_difference();
	test_heal();
	test_hosts();
	test_take_over();
	test_larvals();
	test_foreign();
	test_stop();
	dp_close(dp);
	return world_done();
}
