/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importing (import.h). All files are written beside their places before the
 * first is renamed, so that a full disk leaves an earlier key and certificate
 * that fit each other; the key goes first: a daemon that reloads in between
 * misses something and says so, but never reads half of a file.
 */
#include "oectl/import.h"

#include "ike/crypto/bundle.h"
#include "lib/mem.h"
#include "lib/secret.h"
#include "lib/store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Far more than a certificate's chain and key. */
#define MAX_FILE (1 << 20)

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "oectl: %s: %s\n", what, why);
	return 1;
}

/* --- the passphrase ------------------------------------------------------------------------ */

static bool read_line(FILE *from, char *out, size_t room)
{
	if (!fgets(out, (int)room, from))
		return false;
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

/* Not echoed on a terminal; from a pipe it is the first line. */
static bool ask_passphrase(const char *file, char *out, size_t room)
{
	struct termios old, quiet;
	bool terminal = tcgetattr(STDIN_FILENO, &old) == 0, got;

	if (terminal) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "Passphrase of %s: ", file);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	got = read_line(stdin, out, room);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (!got)
		fail("standard input", "there is no passphrase in it");
	return got;
}

static bool get_passphrase(const char *file, const char *passphrase_file, char *out, size_t room)
{
	FILE *from;
	bool got;

	if (!passphrase_file)
		return ask_passphrase(file, out, room);
	from = fopen(passphrase_file, "re");
	if (!from) {
		fail(passphrase_file, strerror(errno));
		return false;
	}
	got = read_line(from, out, room);
	fclose(from);
	if (!got)
		fail(passphrase_file, "it is empty");
	return got;
}

/* --- files ------------------------------------------------------------------------------------- */

static char *read_all(const char *path, size_t *len)
{
	FILE *from = fopen(path, "re");
	char *bytes;

	if (!from) {
		fail(path, strerror(errno));
		return NULL;
	}
	bytes = mem_zalloc(MAX_FILE);
	*len = fread(bytes, 1, MAX_FILE, from);
	fclose(from);
	if (*len < MAX_FILE)
		return bytes;
	fail(path, "it is too large for a PKCS#12 file");
	free(bytes);
	return NULL;
}

static int make_folder(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return fail(path, strerror(errno));
}

/* With the folders above it. */
static int make_folders(const char *path)
{
	char *copy = mem_strdup(path);
	int status = 0;

	for (char *slash = strchr(copy + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		status = make_folder(copy, 0755);
		*slash = '/';
	}
	if (!status)
		status = make_folder(copy, 0755);
	free(copy);
	return status;
}

/* --- where what goes ------------------------------------------------------------------------------ */

static const struct place {
	const char *folder;
	mode_t folder_mode, mode;
	const char *what;
} places[] = {
	{"private", 0700, 0600, "private key"},
	{"certs", 0755, 0644, "certificate"},
	{"cacerts", 0755, 0644, "CA"},
};

static char *path_of(const struct place *place, const char *pki_dir, const char *name)
{
	return mem_printf("%s/%s/%s.pem", pki_dir, place->folder, name);
}

/* The mode counts from the file's first moment. */
static int draft(const struct place *place, const char *pki_dir, const char *path, const char *text)
{
	char *folder = mem_printf("%s/%s", pki_dir, place->folder);
	int status = make_folder(folder, place->folder_mode);
	int error = status ? 0 : store_draft(path, place->mode, text, strlen(text), true);

	free(folder);
	return error ? fail(path, strerror(-error)) : status;
}

static int take(const struct place *place, const char *path)
{
	int error = store_take_draft(path, true);

	if (error)
		return fail(path, strerror(-error));
	printf("%-12s %s\n", place->what, path);
	return 0;
}

/* A text for each place; an empty one has no file. */
static int put_files(const char *const texts[], const char *name, const char *pki_dir)
{
	char *paths[ARRAY_LEN(places)] = {0};
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(places) && !status; i++) {
		if (!*texts[i])
			continue;
		paths[i] = path_of(&places[i], pki_dir, name);
		status = draft(&places[i], pki_dir, paths[i], texts[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(places) && !status; i++)
		status = paths[i] ? take(&places[i], paths[i]) : 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (status && paths[i])
			store_drop_draft(paths[i]);
		free(paths[i]);
	}
	return status;
}

/* A name becomes a file's name, one that is not taken for an editor's copy (conf/certs.c), and a value in oe.conf. */
static bool is_file_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 100 || *name == '.' || *name == ' ' || name[len - 1] == ' ')
		return false;
	for (; *name; name++) {
		if ((unsigned char)*name < ' ' || *name == 0x7f || strchr("/\"#~", *name))
			return false;
	}
	return true;
}

static int put_bundle(const struct cert_bundle *bundle, const char *name, const char *pki_dir)
{
	const char *texts[] = {bundle->key, bundle->certs, bundle->cas};

	if (!is_file_name(name))
		return fail(name, "this name cannot be a file's; give another with --name");
	if (make_folders(pki_dir) || put_files(texts, name, pki_dir))
		return 1;
	printf("%s (%s), %zu intermediate, %zu CA\nuse it with: leftcert=%s\n", bundle->subject,
		bundle->key_text, bundle->intermediate_count, bundle->ca_count, name);
	return 0;
}

int import_bundle(const char *file, const char *passphrase_file, const char *name, const char *pki_dir)
{
	char passphrase[256], *why = NULL, *bytes;
	struct cert_bundle *bundle;
	size_t len;
	int status;

	bytes = read_all(file, &len);
	if (!bytes || !get_passphrase(file, passphrase_file, passphrase, sizeof(passphrase))) {
		free(bytes);
		return 1;
	}
	bundle = cert_bundle_read(bytes, len, passphrase, time(NULL), &why);
	secret_wipe(passphrase, sizeof(passphrase));
	secret_wipe(bytes, len);
	free(bytes);
	if (!bundle) {
		status = fail(file, why);
		free(why);
		return status;
	}
	status = put_bundle(bundle, name ? name : bundle->name, pki_dir);
	cert_bundle_free(bundle);
	return status;
}
