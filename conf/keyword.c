/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every option there is: its values, default, help, and whether it has an
 * effect here. The checker, the manual page and its lint read this table.
 */
#include "conf/internal.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* TIME_MS: a number without a unit is milliseconds, elsewhere it is seconds. AUTHS: a list of methods. */
enum kind { TEXT, TIME, TIME_MS, NUMBER, SIZE, PERCENT, WORD, AUTHS, ID, IGNORED };

struct keyword {
	const char *section;
	const char *name;
	enum kind kind;
	const char *values; /* of WORD and AUTHS: the words; else how people should write it */
	const char *default_text;
	const char *help;
};

#define SETUP "config setup"
#define CONN "conn"
#define NONE(section, name) {section, name, IGNORED, "…", "", "Accepted for libreswan's sake; has no effect here."}
/* An option of both ends. */
#define END(name, kind, values, default_text, help)                                                \
	{CONN, "left" name, kind, values, default_text, help},                                     \
		{CONN, "right" name, kind, values, default_text, help}
#define END_NONE(name) NONE(CONN, "left" name), NONE(CONN, "right" name)

#define SHUNT_WORDS "hold | pass | passthrough | drop | reject | none"
#define AUTH_WORDS "null | secret | psk | never | rsasig | rsa | ecdsa | eddsa | eaponly"

static const struct keyword keywords[] = {
	{SETUP, "dns-listen", TEXT, "ADDRESS[:PORT] …", "127.0.0.53 ::1",
		"Where the stub resolver listens."},
	{SETUP, "dns-forward", TEXT, "ADDRESS[:PORT] …", "what the system uses",
		"The resolvers that queries are forwarded to."},
	{SETUP, "dns-allow", TEXT, "PREFIX …", "local clients only",
		"Clients besides this host's own that may ask."},
	{SETUP, "dns-hold", TIME, "TIME", "2s",
		"How long an answer may wait for its tunnels; 4s at most."},
	{SETUP, "dns-hold-grace", TIME, "TIME", "100ms",
		"How long an answer waits on, once one address is usable."},
	{SETUP, "dns-max-held", NUMBER, "NUMBER", "4096", "How many queries may wait at once."},
	{SETUP, "dns-trust-anchor", TEXT, "FILE", "none: answers are not validated",
		"A DNSSEC trust anchor; answers are validated with it."},
	{SETUP, "logfile", TEXT, "FILE", "standard error", "Where the log goes."},
	{SETUP, "ike-keylog", TEXT, "FILE", "none",
		"Writes the keys of all tunnels there, for debugging with Wireshark."},
	{SETUP, "debug", TEXT, "all | none", "none", "Logs every message and change of state."},
	{SETUP, "plutodebug", TEXT, "all | none | WORDS", "none",
		"libreswan's name for debug; any word but none counts as all."},
	{SETUP, "statedir", TEXT, "DIRECTORY", OE_STATEDIR, "Where names that joined a group, and verified ones, are kept."},
	{SETUP, "control-socket", TEXT, "FILE", OE_RUNDIR "/control.sock",
		"The socket that oectl talks to."},
	{SETUP, "policies-dir", TEXT, "DIRECTORY", OE_SYSCONFDIR "/policies",
		"Where the group files are; a missing one is an empty one."},
	{SETUP, "secretsfile", TEXT, "FILE", OE_SYSCONFDIR "/oe.secrets",
		"Pre-shared keys, in the syntax of ipsec.secrets."},
	{SETUP, "pki-dir", TEXT, "DIRECTORY", OE_SYSCONFDIR "/pki",
		"Where certs/, private/, cacerts/ and crls/ are; oectl import fills the first three."},
	{SETUP, "crl-strict", WORD, "yes | no", "no",
		"Whether a certificate is refused when its CA has no valid revocation list in pki-dir."},
	{SETUP, "strictcrlpolicy", WORD, "yes | no", "crl-strict=", "The older name of crl-strict."},
	{SETUP, "watch", WORD, "yes | no", "no",
		"Whether a changed configuration or group file is loaded by itself."},
	{SETUP, "masqueraded", TEXT, "PREFIX …", "none",
		"Containers' sources that this host masquerades: they reach closed groups through its tunnels."},
	{SETUP, "max-halfopen-ike", NUMBER, "NUMBER", "50000",
		"How many negotiations that strangers have begun may be open at once."},
	{SETUP, "max-anonymous-ike", NUMBER, "NUMBER", "100000",
		"How many IKE SAs may stand at once with hosts that have not shown who they are."},
	{SETUP, "ddos-mode", WORD, "auto | busy | unlimited", "auto",
		"When strangers must return a cookie before anything is kept of them."},
	{SETUP, "ddos-ike-threshold", NUMBER, "NUMBER", "1000",
		"From so many half-open negotiations on, auto asks for cookies."},
	{SETUP, "keep-alive", TIME, "TIME", "20s",
		"Behind a NAT: after so much silence of ours its mapping is refreshed."},
	{SETUP, "shuntlifetime", TIME, "TIME", "15m",
		"The longest time that a failure is remembered, for conns that do not say."},
	NONE(SETUP, "protostack"),
	NONE(SETUP, "interfaces"),
	NONE(SETUP, "uniqueids"),
	NONE(SETUP, "virtual-private"),
	NONE(SETUP, "nat-traversal"),
	NONE(SETUP, "oe"),
	NONE(SETUP, "ikeport"),
	NONE(SETUP, "nhelpers"),
	NONE(SETUP, "logtime"),
	NONE(SETUP, "logappend"),
	NONE(SETUP, "logip"),
	NONE(SETUP, "audit-log"),
	NONE(SETUP, "plutostderrlog"),
	NONE(SETUP, "dumpdir"),
	NONE(SETUP, "nssdir"),
	NONE(SETUP, "ipsecdir"),
	NONE(SETUP, "myid"),
	NONE(SETUP, "listen"),
	NONE(SETUP, "listen-tcp"),
	NONE(SETUP, "listen-udp"),
	NONE(SETUP, "crlcheckinterval"),
	NONE(SETUP, "ocsp-enable"),
	NONE(SETUP, "ocsp-strict"),
	NONE(SETUP, "ocsp-method"),
	NONE(SETUP, "ocsp-timeout"),
	NONE(SETUP, "ocsp-uri"),
	NONE(SETUP, "ocsp-trustname"),
	NONE(SETUP, "ocsp-cache-size"),
	NONE(SETUP, "seccomp"),
	NONE(SETUP, "dnssec-enable"),
	NONE(SETUP, "dnssec-rootkey-file"),
	NONE(SETUP, "dnssec-anchors"),
	NONE(SETUP, "ikev1-policy"),
	NONE(SETUP, "expire-shunt-interval"),
	NONE(SETUP, "expire-lifetime"),
	NONE(SETUP, "global-redirect"),
	NONE(SETUP, "global-redirect-to"),
	NONE(SETUP, "syslog"),
	NONE(SETUP, "statsbin"),
	NONE(SETUP, "crl-timeout"),
	NONE(SETUP, "curl-iface"),
	NONE(SETUP, "curl-timeout"),
	NONE(SETUP, "drop-oppo-null"),
	NONE(SETUP, "fragicmp"),
	NONE(SETUP, "force-keepalive"),
	NONE(SETUP, "hidetos"),
	NONE(SETUP, "ike-socket-bufsize"),
	NONE(SETUP, "ike-socket-errqueue"),
	NONE(SETUP, "ipsec-interface-managed"),
	NONE(SETUP, "klipsdebug"),
	NONE(SETUP, "nflog-all"),
	NONE(SETUP, "ocsp-cache-min-age"),
	NONE(SETUP, "ocsp-cache-max-age"),
	NONE(SETUP, "overridemtu"),
	NONE(SETUP, "perpeerlog"),
	NONE(SETUP, "perpeerlogdir"),
	NONE(SETUP, "plutofork"),
	NONE(SETUP, "plutoopts"),
	NONE(SETUP, "plutorestartoncrash"),
	NONE(SETUP, "plutowait"),
	NONE(SETUP, "postpluto"),
	NONE(SETUP, "prepluto"),
	NONE(SETUP, "retransmits"),
	NONE(SETUP, "secctx-attr-type"),
	NONE(SETUP, "seedbits"),
	NONE(SETUP, "session-resumption"),
	NONE(SETUP, "xfrmlifetime"),

	{CONN, "also", TEXT, "CONN", "", "Takes over what another conn says and this one does not."},
	{CONN, "auto", WORD, "ondemand | route | add | start | up | keep | ignore", "ignore",
		"ondemand and route: start on traffic; add: only answer; ignore: leave this conn out."},
	{CONN, "type", WORD, "tunnel | transport | passthrough | drop | reject", "tunnel",
		"The mode, or that nothing is ever negotiated."},
	{CONN, "left", TEXT, "%defaultroute | ADDRESS", "%defaultroute",
		"This end; the route to the peer decides."},
	{CONN, "right", TEXT, "%opportunisticgroup | %group", "",
		"The group file of the conn's name says who the other end is."},
	{CONN, "authby", AUTHS, AUTH_WORDS, "rsasig", "How both ends show who they are."},
	END("auth", AUTHS, AUTH_WORDS, "authby=", "How this end shows who it is."),
	END("id", ID, "%null | %fromcert | %any | @NAME | USER@HOST | ADDRESS", "the address",
		"The identity of this end."),
	{CONN, "verify-name", WORD, "yes | no", "no",
		"Whether an answer goes out only when the peer's certificate is for the name that was asked."},
	{CONN, "negotiationshunt", WORD, SHUNT_WORDS, "hold",
		"What packets do while a negotiation lasts."},
	{CONN, "failureshunt", WORD, SHUNT_WORDS, "by group",
		"What packets do after a negotiation has failed."},
	{CONN, "shuntlifetime", TIME, "TIME", "as in config setup",
		"The longest time that a failure is remembered."},
	{CONN, "idle-timeout", TIME, "TIME", "15m",
		"A tunnel that nobody has used for so long is closed; 0 is never."},
	{CONN, "retransmit-timeout", TIME, "TIME", "5s", "When a silent peer is given up."},
	{CONN, "retransmit-interval", TIME_MS, "TIME", "250ms",
		"The first retransmission; each later one waits twice as long. A bare number is "
		"milliseconds. To a peer that is far: twice its round trip."},
	{CONN, "dpddelay", TIME, "TIME", "30s", "After so much silence the peer is asked; 0 is never."},
	{CONN, "ikelifetime", TIME, "TIME", "8h", "After so long an IKE SA is replaced."},
	{CONN, "salifetime", TIME, "TIME", "8h", "After so long a CHILD SA is replaced."},
	{CONN, "keylife", TIME, "TIME", "salifetime=", "An older name of salifetime."},
	{CONN, "lifetime", TIME, "TIME", "salifetime=", "An older name of salifetime."},
	{CONN, "ipsec-max-bytes", SIZE, "NUMBER[KiB | MiB | GiB | TiB]", "no limit",
		"After we have sent so many bytes a CHILD SA is replaced."},
	{CONN, "ipsec-max-packets", SIZE, "NUMBER[KiB | MiB | GiB | TiB]", "no limit",
		"After we have sent so many packets a CHILD SA is replaced."},
	{CONN, "rekey", WORD, "yes | no", "yes",
		"Whether we replace SAs; the other end's wish is always followed."},
	{CONN, "rekeymargin", TIME, "TIME", "9m",
		"So long before the end of a lifetime the replacement begins."},
	{CONN, "rekeyfuzz", PERCENT, "PER CENT", "100",
		"Up to so much of the margin it begins earlier, by chance."},
	{CONN, "pfs", WORD, "yes | no", "yes",
		"Whether a CHILD SA that replaces another has a key exchange of its own."},
	{CONN, "fragmentation", WORD, "yes | no | force", "yes",
		"Whether IKE messages that are too long for every path go in pieces (RFC 7383)."},
	{CONN, "encapsulation", WORD, "auto | yes | no", "auto",
		"ESP in UDP: where a NAT is found, always, never."},
	{CONN, "forceencaps", WORD, "yes | no", "encapsulation=",
		"An older name: yes is encapsulation=yes, no is encapsulation=auto."},
	{CONN, "nat-keepalive", WORD, "yes | no", "yes",
		"Whether the mapping of a NAT that we are behind is kept alive."},
	{CONN, "esn", WORD, "yes | no | either", "either",
		"Whether ESP counts its packets with 64 bits (RFC 4303 2.2.1)."},
	{CONN, "replay-window", NUMBER, "PACKETS", "128", "How much reordering ESP accepts."},
	{CONN, "ike", TEXT, "CIPHER[-HASH][;GROUP][;addkeN=GROUP],…", "aes_gcm256,aes_gcm128-sha2_256;x25519,ecp256",
		"Algorithms of the IKE SA."},
	{CONN, "esp", TEXT, "CIPHER[-HASH],…", "aes_gcm256,aes_gcm128", "Algorithms of ESP."},
	{CONN, "phase2alg", TEXT, "CIPHER[-HASH],…", "esp=", "The older name of esp."},
	{CONN, "intermediate", WORD, "yes | no", "no, but for additional key exchanges",
		"Whether IKE_INTERMEDIATE is spoken (RFC 9242)."},
	{CONN, "ppk", WORD, "no | never | yes | propose | permit | insist | always", "no",
		"Whether a post-quantum pre-shared key is mixed in (RFC 8784): never, where both ends have "
		"it, or on condition of it."},
	{CONN, "ppk-ids", TEXT, "NAME,…", "all of oe.secrets",
		"Names of the post-quantum pre-shared keys that may be used; the first that is there is "
		"begun with."},
	{CONN, "ikev2", WORD, "insist | yes | propose | permit | never | no", "insist",
		"IKEv2 is all there is; never and no are refused."},
	{CONN, "keyexchange", WORD, "ike | ikev2 | ikev1", "ikev2",
		"IKEv2 is all there is; ikev1 is refused."},
	END("cert", TEXT, "NICKNAME | FILE", "",
		"The certificate of our end: a file, or a name in pki-dir; the key is found by it."),
	END_NONE("ckaid"),
	END("ca", TEXT, "%any | %same | DN", "%any",
		"The CA that the other end's certificate must come from; %same is that of our own."),
	END("rsasigkey", TEXT, "%cert | %dnsondemand | KEY", "%cert",
		"Where the key of this end is; certificates only in this version."),
	NONE(CONN, "narrowing"),
	NONE(CONN, "priority"),
	NONE(CONN, "keyingtries"),
	NONE(CONN, "phase2"),
	NONE(CONN, "reauth"),
	NONE(CONN, "dpdaction"),
	NONE(CONN, "dpdtimeout"),
	NONE(CONN, "mobike"),
	NONE(CONN, "sendca"),
	NONE(CONN, "mark"),
	NONE(CONN, "mark-in"),
	NONE(CONN, "mark-out"),
	NONE(CONN, "mtu"),
	NONE(CONN, "metric"),
	NONE(CONN, "tfc"),
	NONE(CONN, "send-no-esp-tfc"),
	NONE(CONN, "connaddrfamily"),
	NONE(CONN, "hostaddrfamily"),
	NONE(CONN, "clientaddrfamily"),
	NONE(CONN, "initial-contact"),
	NONE(CONN, "cisco-unity"),
	NONE(CONN, "ms-dh-downgrade"),
	NONE(CONN, "dns-match-id"),
	NONE(CONN, "compress"),
	NONE(CONN, "overlapip"),
	NONE(CONN, "reqid"),
	NONE(CONN, "nflog-group"),
	NONE(CONN, "policy-label"),
	NONE(CONN, "aggressive"),
	NONE(CONN, "aggrmode"),
	NONE(CONN, "modecfgpull"),
	NONE(CONN, "decap-dscp"),
	NONE(CONN, "nopmtudisc"),
	NONE(CONN, "nic-offload"),
	NONE(CONN, "require-id-on-certificate"),
	NONE(CONN, "vti-interface"),
	NONE(CONN, "vti-routing"),
	NONE(CONN, "vti-shared"),
	NONE(CONN, "ipsec-interface"),
	NONE(CONN, "enable-tcp"),
	NONE(CONN, "accept-redirect"),
	NONE(CONN, "accept-redirect-to"),
	NONE(CONN, "ah"),
	NONE(CONN, "autoindex"),
	NONE(CONN, "cisco-split"),
	NONE(CONN, "clones"),
	NONE(CONN, "connalias"),
	NONE(CONN, "encap-dscp"),
	NONE(CONN, "fake-strongswan"),
	NONE(CONN, "ikepad"),
	NONE(CONN, "ikev2-allow-narrowing"),
	NONE(CONN, "ignore-peer-dns"),
	NONE(CONN, "iptfs"),
	NONE(CONN, "iptfs-dropping"),
	NONE(CONN, "iptfs-fragmentation"),
	NONE(CONN, "iptfs-init-delay"),
	NONE(CONN, "iptfs-max-queue-size"),
	NONE(CONN, "iptfs-packet-size"),
	NONE(CONN, "iptfs-reorder-window"),
	NONE(CONN, "labeled-ipsec"),
	NONE(CONN, "loopback"),
	NONE(CONN, "modecfgbanner"),
	NONE(CONN, "modecfgdns"),
	NONE(CONN, "modecfgdns1"),
	NONE(CONN, "modecfgdns2"),
	NONE(CONN, "modecfgdomain"),
	NONE(CONN, "modecfgdomains"),
	NONE(CONN, "nat-ikev1-method"),
	NONE(CONN, "nm-configured"),
	NONE(CONN, "pam-authorize"),
	NONE(CONN, "pfsgroup"),
	NONE(CONN, "redirect-to"),
	NONE(CONN, "remote-peer-type"),
	NONE(CONN, "rekeywindow"),
	NONE(CONN, "sareftrack"),
	NONE(CONN, "sec-label"),
	NONE(CONN, "send-esp-tfc-padding-not-supported"),
	NONE(CONN, "send-redirect"),
	NONE(CONN, "send-vendorid"),
	NONE(CONN, "session-resumption"),
	NONE(CONN, "sha2-truncbug"),
	NONE(CONN, "share-lease"),
	NONE(CONN, "tcp-remoteport"),
	NONE(CONN, "tcponly"),
	NONE(CONN, "xauthby"),
	NONE(CONN, "xauthfail"),
	END_NONE("subnet"),
	END_NONE("subnets"),
	END_NONE("nexthop"),
	END_NONE("sourceip"),
	END_NONE("updown"),
	END_NONE("modecfgclient"),
	END_NONE("modecfgserver"),
	END_NONE("addresspool"),
	END_NONE("cat"),
	END_NONE("protoport"),
	END_NONE("sendcert"),
	END_NONE("xauthserver"),
	END_NONE("xauthclient"),
	END_NONE("username"),
	END_NONE("vti"),
	END_NONE("interface-ip"),
	END_NONE("allowany"),
	END_NONE("groups"),
	END_NONE("ikeport"),
	END_NONE("nat"),
	END_NONE("pubkey"),
	END_NONE("subnetwithin"),
	END_NONE("xauthusername"),
	END_NONE("xauthname"),
};

size_t conf_keyword_count(void)
{
	return ARRAY_LEN(keywords);
}

bool conf_keyword_info(size_t index, struct conf_keyword_info *out)
{
	const struct keyword *keyword;

	if (index >= ARRAY_LEN(keywords))
		return false;
	keyword = &keywords[index];
	*out = (struct conf_keyword_info){.section = keyword->section,
		.name = keyword->name,
		.values = keyword->values,
		.default_text = keyword->default_text,
		.help = keyword->help,
		.no_effect = keyword->kind == IGNORED};
	return true;
}

static const struct keyword *find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (strcmp(keywords[i].section, section) == 0 &&
			strcmp(keywords[i].name, name) == 0)
			return &keywords[i];
	}
	return NULL;
}

uint32_t keyword_time_unit(const char *name)
{
	const struct keyword *keyword = find(CONN, name);

	return keyword && keyword->kind == TIME_MS ? 1 : 1000;
}

/* --- "did you mean" ----------------------------------------------------------------------------- */

#define NAME_MAX_LEN 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edit distance (insert, delete, replace), one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], len_a = strlen(a), len_b = strlen(b);

	if (len_a > NAME_MAX_LEN || len_b > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t up = row[j];

			row[j] = least(least(up, row[j - 1]) + 1,
				diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[len_b];
}

static const char *nearest(const char *section, const char *name)
{
	const char *best = NULL;
	/* Three slips, and in a short word so many that half of it is right. */
	size_t best_distance = least(3, strlen(name) / 2) + 1;

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		size_t away = distance(name, keywords[i].name);

		if (strcmp(keywords[i].section, section) == 0 && away < best_distance) {
			best = keywords[i].name;
			best_distance = away;
		}
	}
	return best;
}

static void report_unknown(
	struct conf_report *report, const char *section, const struct param *param)
{
	const char *other = strcmp(section, SETUP) == 0 ? CONN : SETUP;
	const char *near = nearest(section, param->key);

	if (find(other, param->key))
		report_error(report, param->place, "option '%s' belongs in %s", param->key,
			strcmp(other, CONN) == 0 ? "a conn" : SETUP);
	else if (near)
		report_error(report, param->place, "unknown option '%s', did you mean '%s'?",
			param->key, near);
	else
		report_error(report, param->place, "unknown option '%s'", param->key);
}

/* --- values --------------------------------------------------------------------------------------- */

static bool is_possible(const struct keyword *keyword, const char *value)
{
	struct ike_id_spec id;
	uint64_t number;

	switch (keyword->kind) {
	case TIME:
	case TIME_MS:
		return value_time_ms(value, keyword_time_unit(keyword->name), &number);
	case NUMBER:
		return value_number(value, UINT32_MAX, &number);
	case SIZE:
		return value_size(value, &number);
	case PERCENT:
		return value_percent(value, &number);
	case AUTHS:
		return value_is_auth_list(value, keyword->values);
	case WORD:
		return value_is_one_of(value, keyword->values);
	case ID:
		return value_id(value, &id);
	case TEXT:
		return value[0] != '\0';
	case IGNORED:
		break;
	}
	return true;
}

void check_params(struct conf_report *report, const struct section *section)
{
	const char *kind = section->name ? CONN : SETUP;

	for (size_t i = 0; i < section->count; i++) {
		const struct param *param = &section->params[i];
		const struct keyword *keyword = find(kind, param->key);

		/* x-… is the reader's own remark, by libreswan's manual. */
		if (strncmp(param->key, "x-", 2) == 0)
			continue;
		if (!keyword)
			report_unknown(report, kind, param);
		else if (keyword->kind == IGNORED)
			report_warning(
				report, param->place, "option '%s' has no effect here", param->key);
		else if (!is_possible(keyword, param->value))
			report_error(report, param->place, "%s=%s: expected %s", param->key,
				param->value, keyword->values);
	}
}
