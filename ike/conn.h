/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection as the engine needs it: who we are, whom we accept, with which
 * algorithms and timers. conf/ fills these; the engine owns its copies.
 */
#ifndef IKE_CONN_H
#define IKE_CONN_H

#include "lib/ipsec.h"

enum ike_auth {
	IKE_AUTH_NULL,	/* RFC 7619 */
	IKE_AUTH_PSK,	/* RFC 7296 2.15 */
	IKE_AUTH_CERT,	/* a signature by the key of an X.509 certificate */
	IKE_AUTH_NEVER, /* no IKE with this connection (clear, block) */
	IKE_AUTH_UNAVAILABLE, /* asked for, but this build or host cannot (rule G7) */
};

/* How leftid= and rightid= are to be understood. */
enum ike_id_kind {
	IKE_ID_KIND_DEFAULT, /* own: the address; peer: whatever its authentication covers */
	IKE_ID_KIND_NULL,    /* %null */
	IKE_ID_KIND_ANY,     /* %any */
	IKE_ID_KIND_FROMCERT, /* %fromcert */
	IKE_ID_KIND_EXACT,   /* the given one */
};

#define IKE_ID_MAX 256

/* RFC 7296 3.5: type and data, no generic header. */
struct ike_id {
	uint8_t type;
	uint16_t len;
	uint8_t data[IKE_ID_MAX];
};

struct ike_id_spec {
	enum ike_id_kind kind;
	struct ike_id id; /* for EXACT */
};

/* UDP encapsulation of ESP (RFC 7296 2.23). */
enum ike_encapsulation {
	IKE_ENCAPSULATION_AUTO, /* where a NAT is found */
	IKE_ENCAPSULATION_YES,	/* always: we pretend to be behind one */
	IKE_ENCAPSULATION_NO,	/* never: NATs are not looked for */
};

/* A post-quantum pre-shared key beside the authentication (RFC 8784). */
enum ike_ppk_use {
	IKE_PPK_NEVER,
	IKE_PPK_PROPOSE, /* where both ends have it */
	IKE_PPK_INSIST,	 /* or there is no SA */
};

/*
 * Algorithms in preference order, IANA ids; key_bits 0 where the algorithm
 * has one length. Empty lists mean the engine's defaults.
 */
#define IKE_SUITE_MAX 12
#define IKE_ADDKE_MAX 7
#define IKE_KE_NONE 0
struct ike_encr_choice {
	uint16_t id;
	uint16_t key_bits;
};

struct ike_suite {
	struct ike_encr_choice encr[IKE_SUITE_MAX];
	size_t encr_count;
	uint16_t integ[IKE_SUITE_MAX];
	size_t integ_count;
	uint16_t prf[IKE_SUITE_MAX];
	size_t prf_count;
	uint16_t ke[IKE_SUITE_MAX];
	size_t ke_count;
	/*
	 * RFC 9370: methods of each additional key exchange, IKE_KE_NONE where it may be
	 * left out. Of ESP taken from those of IKE.
	 */
	uint16_t addke[IKE_ADDKE_MAX][IKE_SUITE_MAX];
	size_t addke_count[IKE_ADDKE_MAX];
	uint16_t esn[2]; /* of ESP: 1 with extended sequence numbers, 0 without */
	size_t esn_count;
};

struct ike_conn {
	char *name;
	enum ike_auth local_auth;
	enum ike_auth remote_auth;
	char *unavailable; /* why, when one of them is IKE_AUTH_UNAVAILABLE */
	size_t identity;   /* IKE_AUTH_CERT of ours: index into ike_config.identities */
	size_t trust;	   /* IKE_AUTH_CERT of the peer: index into ike_config.trusts */
	unsigned remote_keys; /* kinds that the peer's key may be, of enum cert_key */
	bool allow_sha1;   /* RSA with SHA-1, for peers without RFC 7427 */
	bool verify_name;  /* the hosts that the peer's certificate is for count: ops->admit */
	struct ike_id_spec local_id;
	struct ike_id_spec remote_id;
	struct ike_suite ike;
	struct ike_suite esp;
	enum ipsec_mode mode; /* of the CHILD SA; transport is offered, tunnel is the fallback */
	uint32_t retransmit_interval_ms; /* 250 by default (rule N4) */
	uint32_t retransmit_timeout_ms;
	uint32_t dpd_delay_ms; /* 0: no liveness check */
	uint16_t replay_window;
	bool no_fragments; /* RFC 7383 is not spoken */
	enum ike_encapsulation encapsulation;
	bool no_keepalive; /* for the NAT that we are behind */
	/* Rekeying (2.8); 0 means the default. */
	uint32_t ike_lifetime_s, child_lifetime_s;
	uint64_t child_max_bytes, child_max_packets; /* that we send on it; 0: no limit */
	uint32_t rekey_margin_s; /* so long before the end of a lifetime it begins … */
	uint32_t rekey_fuzz;	 /* … or, by chance, up to this per cent of the margin earlier */
	bool no_rekey;		 /* not by us; the peer's are answered */
	bool no_pfs;		 /* no key exchange for a CHILD SA of its own */
	bool childless;		 /* we ask for an IKE SA alone (RFC 6023) */
	bool intermediate;	 /* we speak IKE_INTERMEDIATE (RFC 9242), additional key exchanges or not */
	enum ike_ppk_use ppk;
	char *ppk_ids; /* names of the PPKs that may be used, by commas or spaces; NULL: all */
};

/* One line of oe.secrets: the ids that it is for (none: everybody) and the PSK or PPK. */
struct ike_psk {
	struct ike_id *ids;
	size_t id_count;
	uint8_t *name; /* PPK_ID of a PPK (RFC 8784 5.1): any bytes; NULL for a PSK */
	size_t name_len;
	struct secret secret;
};

struct cert_identity;
struct cert_trust;

/* When strangers have to return a cookie first (RFC 7296 2.6). */
enum ike_ddos_mode {
	IKE_DDOS_AUTO,	    /* when many are half-open, in all or from one source */
	IKE_DDOS_BUSY,	    /* always */
	IKE_DDOS_UNLIMITED, /* never */
};

/* Everything; arrays are owned by whoever filled it. */
struct ike_config {
	struct ike_conn *conns;
	size_t conn_count;
	struct ike_psk *psks;
	size_t psk_count;
	struct ike_psk *ppks;
	size_t ppk_count;
	struct cert_identity **identities; /* our keys with their certificates */
	size_t identity_count;
	struct cert_trust **trusts; /* sets of CAs */
	size_t trust_count;
	uint32_t max_half_open; /* responder's half-open SAs at once; 0: 50000 */
	uint32_t cookie_threshold; /* from so many on, strangers are challenged with a cookie; 0: 1000 */
	enum ike_ddos_mode ddos_mode;
	uint32_t max_anonymous; /* established IKE SAs at once with peers that are nobody; 0: 100000 */
	uint32_t keepalive_s; /* between NAT keepalives; 0: 20 */
};

/* "null", "psk", "cert", "never", "unavailable". */
const char *ike_auth_name(enum ike_auth auth);
/* True when this way of authentication can be gone at all. */
bool ike_auth_possible(enum ike_auth auth);

#endif
