/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hosts a certificate speaks for, as TLS has it (RFC 9525 6, RFC 5280
 * 4.2.1.6): the dNSName and iPAddress entries of its subjectAltName. The
 * subject's common name is none of them.
 *
 * Kept as they are needed for as long as an SA lives, a few dozen bytes: for
 * each entry its kind, its length, and a name in lower case without a NUL, or
 * the bytes of an address. What no name can be compared with is left out.
 */
#include "ike/crypto/cert_gnutls.h"

#include "lib/addr.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "lib/wire.h"

#include <gnutls/x509-ext.h>
#include <stdlib.h>
#include <string.h>

/* Public CAs give a hundred names at most; a certificate with more speaks for the first of them. */
#define HOSTS_MAX 4096
#define NAME_MAX_LEN 253
#define SUBJECT_ALT_NAME "2.5.29.17"

struct cert_hosts {
	size_t len;
	uint8_t entries[];
};

/* --- reading ---------------------------------------------------------------------------------- */

/* Letters, digits, hyphens, underscores in labels; a "*" is all of the first one, and two more follow it. */
static bool is_host_name(const uint8_t *name, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	bool is_wildcard = len > 2 && name[0] == '*' && name[1] == '.';
	size_t labels = 1, label_len = 0;

	for (size_t i = is_wildcard ? 2 : 0; i < len; i++) {
		if (name[i] == '.' && label_len == 0)
			return false;
		if (name[i] != '.' && (name[i] == '\0' || !strchr(letters, name[i])))
			return false;
		label_len = name[i] == '.' ? 0 : label_len + 1;
		labels += name[i] == '.';
		if (label_len > 63)
			return false;
	}
	return len <= NAME_MAX_LEN && label_len > 0 && (!is_wildcard || labels >= 2);
}

static bool is_wanted(unsigned kind, const uint8_t *data, size_t len)
{
	return (kind == GNUTLS_SAN_DNSNAME && is_host_name(data, len)) ||
	       (kind == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16));
}

static void put(struct writer *w, unsigned kind, const uint8_t *data, size_t len)
{
	if (w->room - w->len < len + 2)
		return;
	writer_u8(w, (uint8_t)kind);
	writer_u8(w, (uint8_t)len);
	for (size_t i = 0; i < len; i++) {
		bool upper = kind == GNUTLS_SAN_DNSNAME && data[i] >= 'A' && data[i] <= 'Z';

		writer_u8(w, upper ? (uint8_t)(data[i] - 'A' + 'a') : data[i]);
	}
}

static void read_entries(const gnutls_datum_t *extension, struct writer *w)
{
	gnutls_subject_alt_names_t names;

	if (gnutls_subject_alt_names_init(&names) < 0)
		return;
	if (gnutls_x509_ext_import_subject_alt_names(extension, names, 0) == 0) {
		gnutls_datum_t data;
		unsigned kind;

		for (unsigned i = 0; gnutls_subject_alt_names_get(names, i, &kind, &data, NULL) == 0; i++) {
			if (is_wanted(kind, data.data, data.size))
				put(w, kind, data.data, data.size);
		}
	}
	gnutls_subject_alt_names_deinit(names);
}

struct cert_hosts *cert_hosts_read(gnutls_x509_crt_t cert)
{
	uint8_t room[HOSTS_MAX];
	struct writer w = writer_init(room, sizeof(room));
	gnutls_datum_t extension = {0};
	struct cert_hosts *hosts;

	if (cert && gnutls_x509_crt_get_extension_by_oid2(cert, SUBJECT_ALT_NAME, 0, &extension, NULL) == 0)
		read_entries(&extension, &w);
	gnutls_free(extension.data);
	hosts = mem_zalloc(sizeof(*hosts) + w.len);
	hosts->len = w.len;
	memcpy(hosts->entries, room, w.len);
	return hosts;
}

struct cert_hosts *cert_hosts_of(const struct cert_der *der)
{
	gnutls_x509_crt_t cert = cert_import(der);
	struct cert_hosts *hosts = cert_hosts_read(cert);

	if (cert)
		gnutls_x509_crt_deinit(cert);
	return hosts;
}

struct cert_hosts *cert_hosts_copy(const struct cert_hosts *hosts)
{
	return hosts ? mem_dup(hosts, sizeof(*hosts) + hosts->len) : NULL;
}

/* --- asking ----------------------------------------------------------------------------------- */

struct entry {
	uint8_t kind;
	size_t len;
	const uint8_t *data;
};

static bool next_entry(struct reader *r, struct entry *out)
{
	if (!reader_left(r))
		return false;
	out->kind = reader_u8(r);
	out->len = reader_u8(r);
	out->data = reader_bytes(r, out->len);
	return out->data != NULL;
}

static struct reader entries_of(const struct cert_hosts *hosts)
{
	return hosts ? reader_init(hosts->entries, hosts->len) : reader_init(NULL, 0);
}

/* RFC 9525 6.3: a "*" stands for one label, and a whole one. `name` is in lower case. */
static bool name_matches(const struct entry *entry, const char *name, size_t len)
{
	const char *rest = name;

	if (entry->kind != GNUTLS_SAN_DNSNAME)
		return false;
	if (entry->data[0] != '*')
		return entry->len == len && memcmp(entry->data, name, len) == 0;
	rest = memchr(name, '.', len);
	return rest && rest != name && entry->len - 1 == len - (size_t)(rest - name) &&
	       memcmp(entry->data + 1, rest, entry->len - 1) == 0;
}

bool cert_hosts_have_name(const struct cert_hosts *hosts, const char *name)
{
	struct reader r = entries_of(hosts);
	char lower[NAME_MAX_LEN + 1];
	size_t len = strlen(name);
	struct entry entry;

	if (len && name[len - 1] == '.')
		len--;
	if (!is_host_name((const uint8_t *)name, len) || name[0] == '*')
		return false;
	for (size_t i = 0; i < len; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
	while (next_entry(&r, &entry)) {
		if (name_matches(&entry, lower, len))
			return true;
	}
	return false;
}

bool cert_hosts_have_addr(const struct cert_hosts *hosts, const struct addr *addr)
{
	struct reader r = entries_of(hosts);
	struct entry entry;

	while (next_entry(&r, &entry)) {
		if (entry.kind == GNUTLS_SAN_IPADDRESS && entry.len == addr_len(addr) &&
			memcmp(entry.data, addr->bytes, entry.len) == 0)
			return true;
	}
	return false;
}

char *cert_hosts_format(const struct cert_hosts *hosts)
{
	struct reader r = entries_of(hosts);
	struct strbuf text = {0};
	struct entry entry;

	while (next_entry(&r, &entry)) {
		const char *comma = text.len ? ", " : "";
		char address[ADDR_TEXT];
		struct addr addr;

		if (entry.kind == GNUTLS_SAN_DNSNAME)
			strbuf_printf(&text, "%s%.*s", comma, (int)entry.len, (const char *)entry.data);
		else if (addr_from_bytes(entry.data, entry.len, &addr))
			strbuf_printf(&text, "%s%s", comma, addr_format(&addr, address));
	}
	return text.len ? strbuf_take(&text) : mem_strdup("no host");
}
