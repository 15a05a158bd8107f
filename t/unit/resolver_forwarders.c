/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule A11: the nameservers of the first file that names one, ourselves left out. */
#include "resolver/resolver.h"
#include "t/tap.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/resolver_forwarders.XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char paths[4][64];
	static int next;
	char *path = paths[next++ % 4];
	FILE *file;

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (file) {
		fputs(text, file);
		fclose(file);
	}
	return path;
}

/* The forwarders found, as "A:P B:P". */
static const char *find(const char *const *files, const char *self_text)
{
	static char out[1024];
	struct endpoint self, *found = NULL;
	size_t count;

	endpoint_parse(self_text, 53, &self);
	count = resolver_find_forwarders(files, &self, 1, &found);
	*out = '\0';
	for (size_t i = 0; i < count; i++) {
		char text[ADDR_TEXT];

		strcat(strcat(out, i ? " " : ""), endpoint_format(&found[i], text));
	}
	free(found);
	return out;
}

static const char *find_in(const char *text, const char *self)
{
	const char *path = write_file("one", text);
	const char *const files[] = {path, NULL};

	return find(files, self);
}

/* What goes around a resolver at `self_text`, one text a line. */
static const char *bypasses(const char *resolv_conf, const char *nsswitch, const char *self_text)
{
	static char out[2048];
	struct endpoint self;
	char **texts;
	size_t count;

	endpoint_parse(self_text, 53, &self);
	count = resolver_find_bypasses(
		write_file("one", resolv_conf), write_file("self", nsswitch), &self, 1, &texts);
	*out = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *name = strrchr(texts[i], '/');

		strcat(strcat(out, i ? "\n" : ""), name ? name + 1 : texts[i]);
		free(texts[i]);
	}
	free(texts);
	return out;
}

static void test_bypasses(void)
{
	is_str(bypasses("nameserver 127.0.0.53\n", "hosts: files dns\n", "127.0.0.53"), "",
		"one nameserver, and files before dns: nothing goes around us");
	is_str(bypasses("nameserver 127.0.0.53\n#nameserver 192.0.2.8\nnameserver 192.0.2.9\n", "",
		       "127.0.0.53"),
		"one:3: nameserver 192.0.2.9: some resolvers (musl) ask all at once, and what it answers "
		"goes around us; leave only nameserver 127.0.0.53",
		"a second nameserver, with its place");
	ok(strncmp(bypasses("nameserver fe80::1%eth0\nnameserver ::1\n", "", "::1"),
		   "one:1: nameserver fe80::1%eth0: some", 36) == 0,
		"a link-local one before ours too");
	is_str(bypasses("nameserver 127.0.0.1\nnameserver ::1\n", "", "0.0.0.0"),
		"one:2: nameserver ::1: some resolvers (musl) ask all at once, and what it answers goes "
		"around us; leave only nameserver 127.0.0.1",
		"who listens on all addresses of one family is one of two");
	ok(strstr(bypasses("nameserver 192.0.2.9\n", "", "127.0.0.53"), "do not come to us"),
		"another nameserver alone");
	is_str(bypasses("nameserver 192.0.2.9\n", "", "127.0.0.53:5353"), "",
		"on another port we are behind somebody else");
	is_str(bypasses("", "passwd: resolve\n hosts:\tfiles resolve [!UNAVAIL=return] dns\n", "127.0.0.53"),
		"self:2: resolve asks systemd-resolved and not us; take it out of the line of hosts",
		"resolve in nsswitch.conf");
	is_str(bypasses("", "hosts: files dns[!UNAVAIL=return]resolve # why\n", "127.0.0.53"),
		"self:1: resolve asks systemd-resolved and not us; take it out of the line of hosts",
		"after dns it still is asked for what we withhold");
	is_str(bypasses("", "hosts: files myresolve [NOTFOUND=resolve resolve] dns # resolve\n",
		       "127.0.0.53"),
		"", "another word is another service");
	is_int((intmax_t)resolver_find_bypasses("/nonexistent/a", "/nonexistent/b", NULL, 0, &(char **){NULL}),
		0, "no files, no news");
}

int main(void)
{
	const char *three[4] = {NULL};

	if (!mkdtemp(folder))
		return 1;
	is_str(find_in("# comment\nsearch example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n"
		       "options edns0\n",
		       "127.0.0.53"),
		"192.0.2.1:53 [2001:db8::1]:53", "both families, in their order");
	is_str(find_in("nameserver 127.0.0.53\nnameserver 192.0.2.1\n", "127.0.0.53"), "192.0.2.1:53",
		"ourselves left out");
	is_str(find_in("nameserver 127.0.0.53\n", "127.0.0.1"), "127.0.0.53:53",
		"another resolver on this host is no less than others");
	is_str(find_in("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "0.0.0.0"), "192.0.2.1:53",
		"who listens on all addresses is on loopback too");
	is_str(find_in("nameserver fe80::1%eth0\nnameserver 192.0.2.2\n", "127.0.0.53"),
		"192.0.2.2:53", "a link-local address is passed over");
	is_str(find_in("nameserver192.0.2.1\n#nameserver 192.0.2.3\nnameserver nonsense\n"
		       "nameserver 1.2.3\n",
		       "127.0.0.53"),
		"", "what is no address is none");
	is_str(find_in("nameserver 192.0.2.1", "127.0.0.53"), "192.0.2.1:53",
		"a last line without its end");

	three[0] = "/nonexistent/resolv.conf";
	three[1] = write_file("self", "nameserver 127.0.0.53\n");
	three[2] = write_file("last", "nameserver 192.0.2.9\n");
	is_str(find(three, "127.0.0.53"), "192.0.2.9:53", "the first file that names one of use");
	three[0] = write_file("first", "nameserver 192.0.2.7\n");
	is_str(find(three, "127.0.0.53"), "192.0.2.7:53", "and only that one");
	test_bypasses();

	for (int i = 0; i < 4; i++) {
		static const char *const names[] = {"one", "self", "last", "first"};
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	return tap_done();
}
