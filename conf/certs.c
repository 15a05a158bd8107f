/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates of a configuration: our own by nickname or file (leftcert=),
 * the CAs that the other end's must come from (rightca=). They lie in pki-dir:
 *
 *   certs/NAME.pem     our certificate, with intermediates behind it
 *   private/…          private keys, found by the certificate they belong to
 *   cacerts/…          CAs that are believed
 *   crls/…             revocation lists of these, and of CAs below them
 *
 * What cannot serve makes its conn unavailable, with file and reason (G7): it
 * is found out here and not at the first handshake.
 */
#include "conf/internal.h"

#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "lib/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NSS_PREFIX "NSS Certificate DB:"

/* --- files ------------------------------------------------------------------------------- */

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !strpbrk(entry->d_name, "~#");
}

/* Calls `take` for each file of a folder in the order of their names, until it is true. */
static bool each_file(const char *folder,
	bool (*take)(void *arg, const char *path, const char *bytes, size_t len), void *arg)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_visible, alphasort);
	bool done = false;

	for (int i = 0; i < count; i++) {
		char *path = mem_printf("%s/%s", folder, entries[i]->d_name);
		size_t len;
		char *bytes = done ? NULL : file_read(path, &len);

		if (bytes)
			done = take(arg, path, bytes, len);
		file_forget(bytes, bytes ? len : 0);
		free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return done;
}

/* "web", "NSS Certificate DB:web", "/etc/ssl/web.pem": the file's bytes and *path, or NULL. */
static char *read_cert(const struct certs *certs, const char *name, size_t *len, char **path)
{
	static const char *const endings[] = {"", ".pem", ".crt", ".cer"};
	char *bytes;

	if (strncmp(name, NSS_PREFIX, strlen(NSS_PREFIX)) == 0)
		name += strlen(NSS_PREFIX);
	if (strchr(name, '/')) {
		*path = mem_strdup(name);
		return file_read(name, len);
	}
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		*path = mem_printf("%s/certs/%s%s", certs->pki_dir, name, endings[i]);
		bytes = file_read(*path, len);
		if (bytes || errno != ENOENT)
			return bytes;
		free(*path);
	}
	*path = mem_printf("%s/certs/%s.pem", certs->pki_dir, name);
	errno = ENOENT;
	return NULL;
}

/* --- our own ------------------------------------------------------------------------------ */

struct key_search {
	const char *cert;
	size_t cert_len;
	char *key; /* found */
	size_t key_len;
};

static bool take_key(void *arg, const char *path, const char *bytes, size_t len)
{
	struct key_search *search = arg;

	(void)path;
	if (!cert_key_fits(search->cert, search->cert_len, bytes, len))
		return false;
	search->key = mem_dup(bytes, len);
	search->key_len = len;
	return true;
}

/* Of the file alone: it may have no certificate, a key that is locked, or another's. */
static char *why_without_key(const char *bytes, size_t len, const char *folder)
{
	char *alone = NULL, *why;

	cert_identity_free(cert_identity_new(bytes, len, bytes, len, time(NULL), &alone));
	why = mem_printf("%s, and there is no key for it in %s", alone, folder);
	free(alone);
	return why;
}

/* The key in the certificate's own file, else the one of private/ that belongs to it. */
static struct cert_identity *find_identity(
	const struct certs *certs, const char *bytes, size_t len, char **why)
{
	char *folder = mem_printf("%s/private", certs->pki_dir);
	struct key_search search = {.cert = bytes, .cert_len = len};
	struct cert_identity *identity = NULL;

	if (!take_key(&search, NULL, bytes, len) && !each_file(folder, take_key, &search))
		*why = why_without_key(bytes, len, folder);
	else
		identity = cert_identity_new(
			bytes, len, search.key, search.key_len, time(NULL), why);
	file_forget(search.key, search.key_len);
	free(folder);
	return identity;
}

static size_t add_identity(struct ike_config *ike, struct cert_identity *identity)
{
	ike->identities = mem_resize(
		ike->identities, ike->identity_count + 1, sizeof(struct cert_identity *));
	ike->identities[ike->identity_count] = identity;
	return ike->identity_count++;
}

bool certs_load_own(struct certs *certs, const char *name, size_t *index, char **why)
{
	char *path = NULL, *bytes, *reason = NULL;
	struct cert_identity *identity;
	size_t len = 0;

	bytes = read_cert(certs, name, &len, &path);
	if (!bytes) {
		*why = mem_printf("cannot read the certificate %s: %s", path, strerror(errno));
		free(path);
		return false;
	}
	file_note(certs->source, path);
	identity = find_identity(certs, bytes, len, &reason);
	if (identity)
		*index = add_identity(certs->ike, identity);
	else
		*why = mem_printf("%s: %s", path, reason);
	file_forget(bytes, len);
	free(reason);
	free(path);
	return identity;
}

bool certs_own_covers(const struct certs *certs, size_t index, const struct ike_id *id)
{
	const struct cert_chain *chain = cert_identity_chain(certs->ike->identities[index]);

	return cert_covers(&chain->certs[0], id->type, id->data, id->len);
}

bool certs_own_key_is(const struct certs *certs, size_t index, unsigned keys, const char **text)
{
	const struct cert_identity *identity = certs->ike->identities[index];

	*text = cert_identity_key_text(identity);
	return keys & (unsigned)cert_identity_key(identity);
}

/* --- the other end's CAs -------------------------------------------------------------------- */

static bool take_ca(void *arg, const char *path, const char *bytes, size_t len)
{
	struct certs *certs = arg;
	struct place place = {.file = file_note(certs->source, path)};
	char *why = NULL;

	if (cert_trust_add(certs->all, bytes, len, &why) == 0)
		report_warning(certs->source->report, place, "left out: %s", why);
	free(why);
	return false;
}

/* Who relies on a list must know when it does not count. */
static bool take_crls(void *arg, const char *path, const char *bytes, size_t len)
{
	struct certs *certs = arg;
	struct place place = {.file = file_note(certs->source, path)};
	char *why;
	size_t count = cert_trust_add_crls(certs->all, bytes, len, time(NULL), &why);

	if (count == 0)
		report_defect(certs->source->report, place, "this revocation list is left out: %s", why);
	else if (why)
		report_warning(certs->source->report, place, "a revocation list: %s", why);
	free(why);
	return false;
}

/* Every CA there is, read once. */
static const struct cert_trust *all_cas(struct certs *certs)
{
	char *folder;

	if (certs->all)
		return certs->all;
	certs->all = cert_trust_new();
	folder = mem_printf("%s/cacerts", certs->pki_dir);
	each_file(folder, take_ca, certs);
	free(folder);
	folder = mem_printf("%s/crls", certs->pki_dir);
	each_file(folder, take_crls, certs);
	free(folder);
	if (certs->crl_strict)
		cert_trust_be_strict(certs->all);
	return certs->all;
}

/* The CAs that rightca= means; NULL with the reason when it cannot be told. */
static struct cert_trust *cas_of(
	struct certs *certs, const char *ca, const struct cert_identity *own, char **why)
{
	const struct cert_trust *all = all_cas(certs);
	uint8_t dn[IKE_ID_MAX];
	size_t len;

	if (!ca || strcasecmp(ca, "%any") == 0)
		return cert_trust_copy(all);
	if (strcasecmp(ca, "%same") == 0) {
		if (!own)
			*why = mem_strdup("the CA is to be the same as ours, and we have no certificate");
		return own ? cert_trust_of_identity(all, own) : NULL;
	}
	len = cert_dn_parse(ca, dn, sizeof(dn));
	if (!len)
		*why = mem_printf("'%s' is no distinguished name", ca);
	return len ? cert_trust_of_subject(all, dn, len) : NULL;
}

bool certs_load_cas(
	struct certs *certs, const char *ca, bool has_own, size_t own, size_t *index, char **why)
{
	struct ike_config *ike = certs->ike;
	struct cert_trust *trust =
		cas_of(certs, ca, has_own ? ike->identities[own] : NULL, why);

	if (!trust)
		return false;
	if (cert_trust_count(trust) == 0) {
		*why = mem_printf("no CA certificate in %s/cacerts%s%s", certs->pki_dir,
			ca ? " fits " : "", ca ? ca : "");
		cert_trust_free(trust);
		return false;
	}
	ike->trusts = mem_resize(ike->trusts, ike->trust_count + 1, sizeof(struct cert_trust *));
	ike->trusts[ike->trust_count] = trust;
	*index = ike->trust_count++;
	return true;
}

void certs_end(struct certs *certs)
{
	cert_trust_free(certs->all);
	certs->all = NULL;
}
