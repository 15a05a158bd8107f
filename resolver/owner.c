/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a UDP port (owner.h): the socket's inode, then the process that has it open. Best effort. */
#include "resolver/owner.h"

#include "lib/mem.h"

#include <ctype.h>
#include <dirent.h>
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

/* The inode of the first UDP socket that is in the endpoint's way. */
static unsigned long find_inode(const char *table, const struct endpoint *endpoint)
{
	FILE *file = fopen(table, "re");
	unsigned long inode = 0;
	char line[512], wanted[ADDR_TEXT];

	format_words(&endpoint->addr, wanted);
	while (file && inode == 0 && fgets(line, sizeof(line), file)) {
		char words[40];
		unsigned port;
		unsigned long found;

		if (sscanf(line, " %*d: %39[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %lu", words,
			    &port, &found) == 3 &&
			port == endpoint->port &&
			(is_wildcard(words) || is_wildcard(wanted) || strcmp(words, wanted) == 0))
			inode = found;
	}
	if (file)
		fclose(file);
	return inode;
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

static char *describe(const char *pid)
{
	char *path = mem_printf("/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	char name[64] = "?";

	if (file) {
		if (!fgets(name, sizeof(name), file))
			strcpy(name, "?");
		fclose(file);
	}
	name[strcspn(name, "\n")] = '\0';
	free(path);
	return mem_printf("%s (pid %s)", name, pid);
}

char *owner_of_udp_port(const struct endpoint *endpoint)
{
	unsigned long inode = find_inode(
		endpoint->addr.family == ADDR_IPV4 ? "/proc/net/udp" : "/proc/net/udp6",
		endpoint);
	char *wanted = mem_printf("socket:[%lu]", inode);
	DIR *proc = inode ? opendir("/proc") : NULL;
	const struct dirent *entry;
	char *owner = NULL;

	while (proc && !owner && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]) && process_has(entry->d_name, wanted))
			owner = describe(entry->d_name);
	}
	if (proc)
		closedir(proc);
	free(wanted);
	return owner;
}
