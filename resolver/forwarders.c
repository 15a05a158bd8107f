/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule A11: who answered this host's lookups before us, and what lets them go around us now. */
#include "lib/mem.h"
#include "resolver/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DNS_PORT 53

/* Where we listen on all addresses, those of loopback are ours too. */
static bool is_self(const struct endpoint *endpoint, const struct endpoint *self, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (endpoint_equal(endpoint, &self[i]))
			return true;
		if (addr_is_any(&self[i].addr) && self[i].port == endpoint->port &&
			self[i].addr.family == endpoint->addr.family &&
			addr_is_loopback(&endpoint->addr))
			return true;
	}
	return false;
}

/*
 * "nameserver ADDRESS"; resolv.conf(5). A link-local address needs a zone
 * ("%eth0"), which an endpoint does not have: it is passed over.
 */
static bool parse_line(const char *line, struct endpoint *out)
{
	char text[ADDR_TEXT];

	out->port = DNS_PORT;
	return sscanf(line, " nameserver%*[ \t]%63[0-9a-fA-F.:]", text) == 1 &&
	       addr_parse(text, &out->addr) &&
	       (!addr_is_special(&out->addr) || addr_is_loopback(&out->addr));
}

static size_t read_forwarders(const char *path, const struct endpoint *self, size_t self_count,
	struct endpoint **out)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	size_t count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		struct endpoint endpoint = {0};

		if (!parse_line(line, &endpoint) || is_self(&endpoint, self, self_count))
			continue;
		*out = mem_resize(*out, count + 1, sizeof(**out));
		(*out)[count++] = endpoint;
	}
	if (file)
		fclose(file);
	return count;
}

size_t resolver_find_forwarders(const char *const *files, const struct endpoint *self,
	size_t self_count, struct endpoint **out)
{
	size_t count = 0;

	*out = NULL;
	for (; *files && count == 0; files++)
		count = read_forwarders(*files, self, self_count, out);
	return count;
}

/* --- what goes around us ------------------------------------------------------------------------- */

struct texts {
	char **list;
	size_t count;
};

static void add_text(struct texts *texts, char *text)
{
	texts->list = mem_resize(texts->list, texts->count + 1, sizeof(*texts->list));
	texts->list[texts->count++] = text;
}

/* What is to stand in resolv.conf alone, as that file writes it: it has no ports. */
static const char *own_address(const struct endpoint *self, size_t count, char text[ADDR_TEXT])
{
	struct addr loopback;

	for (size_t i = 0; i < count; i++) {
		if (self[i].port != DNS_PORT)
			continue;
		addr_parse(self[i].addr.family == ADDR_IPV4 ? "127.0.0.1" : "::1", &loopback);
		return addr_format(addr_is_any(&self[i].addr) ? &loopback : &self[i].addr, text);
	}
	return NULL;
}

static void check_resolv_conf(
	const char *path, const struct endpoint *self, size_t self_count, struct texts *out)
{
	FILE *file = fopen(path, "re");
	char line[1024], text[64], ours_text[ADDR_TEXT], *other = NULL;
	const char *ours = own_address(self, self_count, ours_text);
	unsigned number = 0;
	bool named = false;

	while (file && ours && fgets(line, sizeof(line), file)) {
		struct endpoint endpoint = {.port = DNS_PORT};

		number++;
		if (sscanf(line, " nameserver%*[ \t]%63s", text) != 1)
			continue;
		if (addr_parse(text, &endpoint.addr) && is_self(&endpoint, self, self_count))
			named = true;
		else if (!other)
			other = mem_printf("%s:%u: nameserver %s", path, number, text);
	}
	if (named && other)
		add_text(out, mem_printf("%s: some resolvers (musl) ask all at once, and what it answers "
					 "goes around us; leave only nameserver %s", other, ours));
	else if (other)
		add_text(out, mem_printf("%s: the lookups of this host do not come to us; put nameserver "
					 "%s there, alone", other, ours));
	free(other);
	if (file)
		fclose(file);
}

/* nsswitch.conf(5): the service stands between blanks, with actions in brackets among them. */
static bool has_service(const char *line, const char *service)
{
	size_t len = strlen(service);

	for (line += strspn(line, " \t"); *line && *line != '\n' && *line != '#';
		line += strspn(line, " \t")) {
		size_t word = strcspn(line, *line == '[' ? "]\n" : " \t\n#[");

		if (word == len && strncmp(line, service, len) == 0)
			return true;
		line += word + (line[word] == ']');
	}
	return false;
}

static void check_nsswitch(const char *path, struct texts *out)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	unsigned number = 0;

	while (file && fgets(line, sizeof(line), file)) {
		const char *at = line + strspn(line, " \t");

		number++;
		if (strncmp(at, "hosts:", 6) == 0 && has_service(at + 6, "resolve"))
			add_text(out, mem_printf("%s:%u: resolve asks systemd-resolved and not us; take it "
						 "out of the line of hosts", path, number));
	}
	if (file)
		fclose(file);
}

size_t resolver_find_bypasses(const char *resolv_conf, const char *nsswitch,
	const struct endpoint *self, size_t self_count, char ***out)
{
	struct texts texts = {0};

	check_resolv_conf(resolv_conf, self, self_count, &texts);
	check_nsswitch(nsswitch, &texts);
	*out = texts.list;
	return texts.count;
}
