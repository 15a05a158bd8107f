/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, endpoints, prefixes and selectors. */
#include "lib/addr.h"
#include "lib/ipsec.h"
#include "t/tap.h"

#include <sys/socket.h>

static void check_prefix(const char *text, const char *want, bool want_host_bits)
{
	struct prefix prefix;
	bool host_bits;
	char out[ADDR_TEXT];
	bool good = prefix_parse(text, &prefix, &host_bits);

	if (!want) {
		ok(!good, "prefix '%s' is refused", text);
		return;
	}
	is_str(good ? prefix_format(&prefix, out) : "refused", want, text);
	ok(host_bits == want_host_bits, "prefix '%s' host bits", text);
}

static void check_endpoint(const char *text, const char *want)
{
	struct endpoint endpoint;
	char out[ADDR_TEXT];

	is_str(endpoint_parse(text, 53, &endpoint) ? endpoint_format(&endpoint, out) : NULL, want, text);
}

static struct addr addr(const char *text)
{
	struct addr out = {0};

	addr_parse(text, &out);
	return out;
}

static void test_special(void)
{
	static const char *const special[] = {"0.0.0.0", "::", "127.0.0.53", "::1", "224.0.0.251",
		"255.255.255.255", "169.254.1.1", "fe80::1", "ff02::fb"};
	static const char *const plain[] = {"10.9.0.1", "223.255.255.255", "169.253.0.1", "fd09::1",
		"fec0::1", "192.0.2.255"};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		struct addr a = addr(special[i]);

		ok(addr_is_special(&a), "%s is special (G6)", special[i]);
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		struct addr a = addr(plain[i]);

		ok(!addr_is_special(&a), "%s is not special", plain[i]);
	}
}

static void test_contains(void)
{
	struct prefix prefix;
	struct addr inside = addr("10.9.3.255"), outside = addr("10.9.4.0"), six = addr("fd09::1");

	prefix_parse("10.9.0.0/22", &prefix, NULL);
	ok(prefix_contains(&prefix, &inside), "last address of a /22 is inside");
	ok(!prefix_contains(&prefix, &outside), "the next one is outside");
	ok(!prefix_contains(&prefix, &six), "another family is outside");
	prefix_parse("::/0", &prefix, NULL);
	ok(prefix_contains(&prefix, &six) && !prefix_contains(&prefix, &inside), "::/0 is all of IPv6 only");
}

static void test_sockaddr(void)
{
	struct endpoint endpoint, back;
	struct sockaddr_storage storage;
	unsigned len;

	endpoint_parse("[2001:db8::9]:4500", 0, &endpoint);
	endpoint_to_sockaddr(&endpoint, &storage, &len);
	ok(endpoint_from_sockaddr((struct sockaddr *)&storage, &back) && endpoint_equal(&endpoint, &back),
		"IPv6 endpoint survives the socket API");
	endpoint_parse("192.0.2.7:500", 0, &endpoint);
	endpoint_to_sockaddr(&endpoint, &storage, &len);
	ok(endpoint_from_sockaddr((struct sockaddr *)&storage, &back) && endpoint_equal(&endpoint, &back),
		"IPv4 endpoint survives the socket API");
}

static void test_selector(void)
{
	struct selector wide = {0}, narrow;
	char text[SELECTOR_TEXT];

	prefix_parse("10.9.0.1", &wide.local, NULL);
	prefix_parse("10.9.0.0/24", &wide.remote, NULL);
	narrow = wide;
	prefix_parse("10.9.0.2", &narrow.remote, NULL);
	narrow.proto = 6;
	narrow.remote_port = 443;
	ok(selector_within(&narrow, &wide) && !selector_within(&wide, &narrow), "a host and port lie within a prefix");
	is_str(selector_format(&narrow, text), "10.9.0.1/32 <-> 10.9.0.2/32 tcp 0 443", "selector as text");
	narrow.remote_port = 1024;
	narrow.remote_mask = 0xfc00;
	is_str(selector_format(&narrow, text), "10.9.0.1/32 <-> 10.9.0.2/32 tcp 0 1024-2047", "a range as text");
}

static void test_traffic(void)
{
	struct traffic all = {0}, tcp = {.proto = 6}, https = {.proto = 6, .remote_port = 443};
	struct traffic range = {.proto = 6, .remote_port = 256, .remote_mask = 0xff00};
	struct traffic low = {.proto = 6, .remote_port = 0, .remote_mask = 0xfe00};
	struct traffic exact = {.proto = 6, .remote_port = 443, .remote_mask = 0xffff};
	struct traffic reply = {.proto = 1, .local_mask = 0xffff}, icmp = {.proto = 1};
	char text[TRAFFIC_TEXT];

	ok(traffic_within(&https, &tcp) && traffic_within(&tcp, &all) && !traffic_within(&tcp, &https),
		"a port lies within its protocol, that within all");
	ok(traffic_within(&https, &range) && traffic_within(&range, &low) &&
			!traffic_within(&range, &https) && traffic_within(&low, &tcp),
		"a port lies within an aligned range of ports");
	ok(traffic_equal(&https, &exact), "mask 0 of a port is the port");
	ok(traffic_within(&reply, &icmp) && !traffic_within(&icmp, &reply),
		"ICMP type 0, code 0 is not any");
	is_str(traffic_format(&range, text), "tcp 0 256-511", "traffic as text");
	is_str(traffic_format(&all, text), "all", "all of it");
}

static void test_pair_selectors(void)
{
	static const struct traffic https = {.proto = 6, .remote_port = 443}, dns = {.proto = 17, .remote_port = 53};
	struct sa_pair a = {.more = {dns}, .more_count = 1}, b = {.more = {https}, .more_count = 1};

	prefix_parse("10.9.0.1", &a.selector.local, NULL);
	prefix_parse("10.9.0.2", &a.selector.remote, NULL);
	b.selector = a.selector;
	a.selector.proto = https.proto;
	a.selector.remote_port = https.remote_port;
	b.selector.proto = dns.proto;
	b.selector.remote_port = dns.remote_port;
	ok(sa_pair_same_selectors(&a, &b), "the order of several kinds does not count");
	b.more_count = 0;
	ok(!sa_pair_same_selectors(&a, &b) && !sa_pair_same_selectors(&b, &a), "their number does");
}

int main(void)
{
	check_prefix("192.0.2.0/24", "192.0.2.0/24", false);
	check_prefix("192.0.2.77/24", "192.0.2.0/24", true);
	check_prefix("192.0.2.77", "192.0.2.77/32", false);
	check_prefix("0.0.0.0/0", "0.0.0.0/0", false);
	check_prefix("2001:db8::1/64", "2001:db8::/64", true);
	check_prefix("2001:db8::1", "2001:db8::1/128", false);
	check_prefix("192.0.2.0/33", NULL, false);
	check_prefix("192.0.2.0/", NULL, false);
	check_prefix("192.0.2.0/ 8", NULL, false);
	check_prefix("192.0.2/24", NULL, false);
	check_prefix("", NULL, false);
	check_endpoint("192.0.2.1", "192.0.2.1:53");
	check_endpoint("192.0.2.1@5353", "192.0.2.1:5353");
	check_endpoint("192.0.2.1:5353", "192.0.2.1:5353");
	check_endpoint("2001:db8::1", "[2001:db8::1]:53");
	check_endpoint("2001:db8::1@5353", "[2001:db8::1]:5353");
	check_endpoint("[2001:db8::1]:5353", "[2001:db8::1]:5353");
	check_endpoint("192.0.2.1:0", NULL);
	check_endpoint("192.0.2.1:65536", NULL);
	check_endpoint("[2001:db8::1", NULL);
	test_special();
	test_contains();
	test_sockaddr();
	test_selector();
	test_traffic();
	test_pair_selectors();
	return tap_done();
}
