/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the ends of a conn show who they are: leftauth=, rightauth=, authby=,
 * and what belongs to each way (ids, certificates, CAs). What this host cannot
 * do makes the conn unavailable and never something weaker (G7).
 */
#include "conf/internal.h"

#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_word(const char *text, const char *list)
{
	return text && value_is_one_of(text, list);
}

bool conn_is_mirrored(const struct section *conn)
{
	return is_word(section_text(conn, "left"), CONN_GROUP_WORDS) &&
	       !is_word(section_text(conn, "right"), CONN_GROUP_WORDS);
}

const char *conn_end_text(const struct section *conn, bool own, const char *key)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", own != conn_is_mirrored(conn) ? "left" : "right", key);
	return section_text(conn, name);
}

/* --- the list of methods ------------------------------------------------------------------- */

/* What a list of methods says: the first word's kind, and every kind of key among them. */
struct methods {
	enum ike_auth auth;
	unsigned keys; /* of enum cert_key */
	bool sha1;
};

static unsigned keys_of(const char *word)
{
	if (is_word(word, "rsasig | rsa"))
		return CERT_KEY_RSA;
	if (is_word(word, "ecdsa"))
		return CERT_KEY_ECDSA;
	if (is_word(word, "eddsa"))
		return CERT_KEY_EDDSA;
	return 0;
}

static enum ike_auth auth_of(const char *word)
{
	if (is_word(word, "null"))
		return IKE_AUTH_NULL;
	if (is_word(word, "secret | psk"))
		return IKE_AUTH_PSK;
	if (is_word(word, "never"))
		return IKE_AUTH_NEVER;
	return keys_of(word) ? IKE_AUTH_CERT : IKE_AUTH_UNAVAILABLE;
}

/* "rsasig,ecdsa", "rsa-sha2_512", "rsa-sha1": the kind up to the hash. */
static struct methods methods_of(const char *list)
{
	struct methods methods = {.auth = IKE_AUTH_UNAVAILABLE};
	char *copy = mem_strdup(list), *save = NULL;
	bool first = true;

	for (char *word = strtok_r(copy, ",| \t", &save); word; word = strtok_r(NULL, ",| \t", &save)) {
		methods.sha1 = methods.sha1 || strcasecmp(word, "rsa-sha1") == 0;
		word[strcspn(word, "-")] = '\0';
		methods.keys |= keys_of(word);
		if (first)
			methods.auth = auth_of(word);
		first = false;
	}
	free(copy);
	return methods;
}

/* Nothing said: a certificate with a key of any kind, as libreswan has it. */
static struct methods end_methods(const struct section *conn, bool own, const char **text)
{
	*text = conn_end_text(conn, own, "auth");
	if (!*text)
		*text = section_text(conn, "authby");
	if (*text)
		return methods_of(*text);
	*text = "rsasig,ecdsa (the default)";
	return (struct methods){.auth = IKE_AUTH_CERT, .keys = CERT_KEY_ANY};
}

/* --- our end ---------------------------------------------------------------------------------- */

/* False with the reason. */
static bool fill_own_cert(struct certs *certs, const struct section *conn,
	const struct methods *methods, struct ike_conn *out, char **why)
{
	const char *name = conn_end_text(conn, true, "cert"), *key;

	if (!name) {
		*why = mem_strdup("leftcert= is missing");
		return false;
	}
	if (!certs_load_own(certs, name, &out->identity, why))
		return false;
	if (!certs_own_key_is(certs, out->identity, methods->keys, &key)) {
		*why = mem_printf("the key of leftcert=%s is %s", name, key);
		return false;
	}
	if (out->local_id.kind == IKE_ID_KIND_EXACT &&
		!certs_own_covers(certs, out->identity, &out->local_id.id)) {
		*why = mem_printf("the certificate %s does not carry leftid=%s", name,
			conn_end_text(conn, true, "id"));
		return false;
	}
	return true;
}

/* --- the other end ------------------------------------------------------------------------------ */

static bool fill_cas(struct certs *certs, const struct section *conn, const struct methods *methods,
	struct ike_conn *out, char **why)
{
	const char *key = conn_end_text(conn, false, "rsasigkey");
	const char *ca = conn_end_text(conn, false, "ca");
	size_t own = out->identity;
	bool has_own = out->local_auth == IKE_AUTH_CERT;

	if (key && strcasecmp(key, "%cert") != 0) {
		*why = mem_printf("rightrsasigkey=%s: raw keys are not in this version", key);
		return false;
	}
	if (conn_end_text(conn, false, "cert")) {
		*why = mem_strdup("rightcert= is not in this version");
		return false;
	}
	out->remote_keys = methods->keys;
	/* Who shows nothing may still have a certificate that says which CA is meant. */
	if (is_word(ca, "%same") && !has_own && conn_end_text(conn, true, "cert"))
		has_own = certs_load_own(certs, conn_end_text(conn, true, "cert"), &own, why);
	return (*why || certs_load_cas(certs, ca, has_own, own, &out->trust, why)) && !*why;
}

/* --- both ------------------------------------------------------------------------------------------ */

static void cannot(struct certs *certs, const struct section *conn, bool own, const char *text,
	char *why, struct ike_conn *out)
{
	if (!out->unavailable) {
		out->unavailable = mem_printf("%s end's authentication by %s%s%s",
			own ? "this" : "the other", text, why ? ": " : " is not possible here",
			why ? why : "");
		report_defect(certs->source->report, conn->place,
			"conn %s: %s; every negotiation of it fails, and nothing is sent",
			conn->name, out->unavailable);
	}
	free(why);
}

static void fill_end(struct certs *certs, const struct section *conn, bool own, struct ike_conn *out)
{
	const char *text, *id = conn_end_text(conn, own, "id");
	struct methods methods = end_methods(conn, own, &text);
	enum ike_auth *auth = own ? &out->local_auth : &out->remote_auth;
	char *why = NULL;

	*auth = methods.auth;
	out->allow_sha1 = out->allow_sha1 || methods.sha1;
	if (id)
		value_id(id, own ? &out->local_id : &out->remote_id);
	if (*auth == IKE_AUTH_CERT && !(own ? fill_own_cert(certs, conn, &methods, out, &why)
					    : fill_cas(certs, conn, &methods, out, &why)))
		*auth = IKE_AUTH_UNAVAILABLE;
	if (*auth == IKE_AUTH_UNAVAILABLE)
		cannot(certs, conn, own, text, why, out);
}

/* Without a certificate there is nothing that a name could be compared with: not checking would be worse. */
static void fill_verify_name(struct certs *certs, const struct section *conn, struct ike_conn *out)
{
	const struct param *param = section_param(conn, "verify-name");

	out->verify_name = param && is_word(param->value, "yes");
	if (out->verify_name && out->remote_auth != IKE_AUTH_CERT &&
		out->remote_auth != IKE_AUTH_UNAVAILABLE)
		report_error(certs->source->report, param->place,
			"conn %s: verify-name=yes needs the other end's certificate, and it shows "
			"who it is by %s",
			conn->name, ike_auth_name(out->remote_auth));
}

void conn_fill_auth(struct certs *certs, const struct section *conn, struct ike_conn *out)
{
	fill_end(certs, conn, true, out);
	fill_end(certs, conn, false, out);
	fill_verify_name(certs, conn, out);
}
