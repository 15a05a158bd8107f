/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target on its corpus without a fuzzer: t/fuzz/replay_THING links
 * this with fuzz_THING.c and reads t/fuzz/corpus/THING/. Files may be named as
 * arguments instead (to look at a crash).
 */
#include "t/tap.h"

#include "lib/mem.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t len;
	uint8_t *exact;

	if (!file)
		return false;
	len = fread(data, 1, sizeof(data), file);
	fclose(file);
	/* At its exact size, so that a sanitizer sees what lies behind it. */
	exact = malloc(len ? len : 1);
	if (!exact)
		return false;
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return true;
}

static void run_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir))) {
		char *file;

		if (entry->d_name[0] == '.')
			continue;
		file = mem_printf("%s/%s", path, entry->d_name);
		count += run_file(file);
		free(file);
	}
	if (dir)
		closedir(dir);
	ok(count > 0, "%u inputs of the corpus replayed", count);
}

int main(int argc, char **argv)
{
	const char *top = getenv("abs_top_srcdir");
	const char *name = strstr(argv[0], "replay_");
	char *path;

	for (int i = 1; i < argc; i++)
		ok(run_file(argv[i]), "%s", argv[i]);
	if (argc == 1 && name) {
		path = mem_printf(
			"%s/t/fuzz/corpus/%s", top ? top : ".", name + strlen("replay_"));
		run_folder(path);
		free(path);
	}
	return tap_done();
}
