/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule A11: who answered this host's lookups before us. */
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

static size_t read_file(const char *path, const struct endpoint *self, size_t self_count,
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
		count = read_file(*files, self, self_count, out);
	return count;
}
