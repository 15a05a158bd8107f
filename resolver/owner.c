/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a port (owner.h): the socket's inode, then the process that has it open, and its unit. */
#include "resolver/owner.h"

#include "lib/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINK_MAX_LEN 64

/* As /proc/net/udp writes addresses: 32-bit words of network order read in the host's. */
static void format_words(const struct addr *addr, char out[ADDR_TEXT])
{
	*out = '\0';
	for (size_t i = 0; i < addr_len(addr); i += 4) {
		uint32_t word;

		memcpy(&word, addr->bytes + i, sizeof(word));
		out += snprintf(out, 9, "%08X", word);
	}
}

static bool is_wildcard(const char *words)
{
	return strspn(words, "0") == strlen(words);
}

/* A socket in the way of ours. */
struct holder {
	unsigned long inode; /* 0: none was found */
	unsigned uid;
};

#define STATE_LISTEN 0x0a /* of TCP; those of UDP have no such state */

/*
 * One of /proc/net/{udp,tcp}[6]. A wildcard socket of IPv6 may hold the port for
 * IPv4 too: then `family_of_table` is not the endpoint's.
 */
static struct holder find_in(const char *table, bool tcp, uint8_t family_of_table,
	const struct endpoint *endpoint)
{
	FILE *file = fopen(table, "re");
	struct holder out = {0};
	char line[512], wanted[ADDR_TEXT];

	format_words(&endpoint->addr, wanted);
	while (file && out.inode == 0 && fgets(line, sizeof(line), file)) {
		char words[40];
		unsigned port, state, uid;
		unsigned long inode;

		if (sscanf(line, " %*d: %39[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %u %*s %lu", words, &port,
			    &state, &uid, &inode) != 5 ||
			port != endpoint->port || (tcp && state != STATE_LISTEN))
			continue;
		if (is_wildcard(words) || (family_of_table == endpoint->addr.family &&
						  (is_wildcard(wanted) || strcmp(words, wanted) == 0)))
			out = (struct holder){.inode = inode, .uid = uid};
	}
	if (file)
		fclose(file);
	return out;
}

static struct holder find_holder(const struct endpoint *endpoint)
{
	static const struct {
		const char *path;
		bool tcp;
		uint8_t family;
	} tables[] = {{"/proc/net/udp", false, ADDR_IPV4}, {"/proc/net/udp6", false, ADDR_IPV6},
		{"/proc/net/tcp", true, ADDR_IPV4}, {"/proc/net/tcp6", true, ADDR_IPV6}};
	struct holder out = {0};

	for (size_t i = 0; i < ARRAY_LEN(tables) && out.inode == 0; i++) {
		if (endpoint->addr.family == ADDR_IPV4 || tables[i].family == ADDR_IPV6)
			out = find_in(tables[i].path, tables[i].tcp, tables[i].family, endpoint);
	}
	return out;
}

static bool process_has(const char *pid, const char *wanted)
{
	char *folder = mem_printf("/proc/%s/fd", pid);
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char target[LINK_MAX_LEN] = {0};

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0)
			found = strcmp(target, wanted) == 0;
	}
	if (dir)
		closedir(dir);
	free(folder);
	return found;
}

/* The first line of /proc/PID/FILE that has `mark`, without its end; "" if there is none. */
static void read_line(const char *pid, const char *name, const char *mark, char *out, size_t room)
{
	char *path = mem_printf("/proc/%s/%s", pid, name);
	FILE *file = fopen(path, "re");
	bool found = false;

	while (file && !found && fgets(out, (int)room, file))
		found = strstr(out, mark) != NULL;
	if (!found)
		*out = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (file)
		fclose(file);
	free(path);
}

/* "0::/system.slice/systemd-resolved.service": the unit is the last part, if that is a service. */
static void find_unit(const char *pid, char *out, size_t room)
{
	static const char suffix[] = ".service";
	char line[512];
	const char *unit;
	size_t len;

	*out = '\0';
	read_line(pid, "cgroup", suffix, line, sizeof(line));
	unit = strrchr(line, '/');
	len = unit ? strlen(++unit) : 0;
	if (len >= sizeof(suffix) && strcmp(unit + len - (sizeof(suffix) - 1), suffix) == 0)
		snprintf(out, room, "%.*s", (int)room - 1, unit);
}

static void describe(const char *pid, struct owner *out)
{
	char name[64];

	read_line(pid, "comm", "", name, sizeof(name));
	find_unit(pid, out->unit, sizeof(out->unit));
	/* The kernel cuts a process's name after 15 letters. */
	out->is_resolved = strncmp(name, "systemd-resolve", 15) == 0;
	snprintf(out->text, sizeof(out->text), "%s (pid %.16s%s%s)", *name ? name : "?", pid,
		*out->unit ? ", " : "", out->unit);
}

static void describe_user(unsigned uid, struct owner *out)
{
	const struct passwd *user = getpwuid(uid);

	out->is_resolved = user && strcmp(user->pw_name, "systemd-resolve") == 0;
	snprintf(out->text, sizeof(out->text), "a process of the user %.100s", user ? user->pw_name : "?");
}

struct owner owner_of_port(const struct endpoint *endpoint)
{
	struct holder holder = find_holder(endpoint);
	char *wanted = mem_printf("socket:[%lu]", holder.inode);
	DIR *proc = holder.inode ? opendir("/proc") : NULL;
	struct owner out = {.text = "another program"};
	const struct dirent *entry;
	bool found = false;

	while (proc && !found && (entry = readdir(proc))) {
		found = isdigit((unsigned char)entry->d_name[0]) && process_has(entry->d_name, wanted);
		if (found)
			describe(entry->d_name, &out);
	}
	if (!found && holder.inode)
		describe_user(holder.uid, &out);
	if (proc)
		closedir(proc);
	free(wanted);
	return out;
}
