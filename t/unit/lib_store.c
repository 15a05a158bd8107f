/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that we write: whole, with their mode, and on an error as they were. */
#include "lib/store.h"
#include "t/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/oe-store-XXXXXX";

static bool holds(const char *path, const char *text)
{
	char have[64] = "";
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(have, 1, sizeof(have) - 1, file) : 0;

	if (file)
		fclose(file);
	return file && len == strlen(text) && strcmp(have, text) == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st = {0};

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_modes(void)
{
	umask(0077);
	ok(store_write("plain", 0644, "one", 3, false) == 0 && holds("plain", "one"), "a file is written");
	ok(mode_of("plain") == 0644, "with its mode, whatever the umask");
	ok(store_write("plain", 0600, "2", 1, true) == 0 && holds("plain", "2") && mode_of("plain") == 0600,
		"again: nothing of the old one is left");
}

static void test_replace(void)
{
	ok(store_replace("kept", 0600, "one", 3, true) == 0 && holds("kept", "one"), "a new file, to outlive the power");
	ok(store_replace("kept", 0644, "two", 3, false) == 0 && holds("kept", "two") && mode_of("kept") == 0644,
		"is replaced");
	ok(access("kept.new", F_OK) != 0, "and the draft is gone");
}

static void test_draft(void)
{
	ok(store_draft("kept", 0600, "new", 3, true) == 0 && holds("kept", "two") && mode_of("kept.new") == 0600,
		"a draft changes nothing yet");
	store_drop_draft("kept");
	ok(access("kept.new", F_OK) != 0 && holds("kept", "two"), "and may be dropped");
	ok(store_take_draft("kept", true) == -ENOENT && holds("kept", "two"), "one that is not there cannot be taken");
	ok(store_draft("kept", 0600, "new", 3, false) == 0 && store_take_draft("kept", true) == 0 && holds("kept", "new") &&
			mode_of("kept") == 0600 && access("kept.new", F_OK) != 0,
		"one that is there takes the file's place");
}

static void test_link(void)
{
	ok(symlink("plain", "kept.new") == 0 && store_replace("kept", 0600, "three", 5, false) == 0 &&
			holds("kept", "three") && holds("plain", "2"),
		"a link in the draft's place is not followed");
	ok(symlink("plain", "link") == 0 && store_write("link", 0600, "x", 1, false) == -ELOOP && holds("plain", "2"),
		"nor is one where a file is to be written");
}

static void test_errors(void)
{
	static const char much[256];
	struct rlimit old, little;
	int error;

	ok(store_replace("no/such/folder", 0600, "x", 1, true) == -ENOENT, "no folder: ENOENT");
	getrlimit(RLIMIT_FSIZE, &old);
	little = old;
	little.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &little);
	error = store_replace("kept", 0600, much, sizeof(much), true);
	setrlimit(RLIMIT_FSIZE, &old);
	ok(error == -EFBIG, "no room for all of it: an error");
	ok(holds("kept", "three") && access("kept.new", F_OK) != 0, "and the one before stays");
}

int main(void)
{
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 1;
	test_modes();
	test_replace();
	test_draft();
	test_link();
	test_errors();
	unlink("plain");
	unlink("kept");
	unlink("link");
	rmdir(folder);
	return tap_done();
}
