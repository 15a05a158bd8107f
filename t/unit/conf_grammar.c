/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec.conf(5) syntax: sections, comments, quotes, continuation, also=, %default, include. */
#include "ike/const.h"
#include "t/unit/conf_files.h"

#define NULL_GROUP "\tright=%opportunisticgroup\n\tauthby=null\n"

static uint32_t timeout_of(const struct conf *conf, const char *name)
{
	const struct ike_conn *ike = files_ike(conf, name);

	return ike ? ike->retransmit_timeout_ms : 0;
}

static void test_lines(void)
{
	struct conf *conf = files_load_text(
		"# a comment \\\nconn one # and another\n" NULL_GROUP
		"\n  # dpddelay=1\n\tdpddelay = 7s\t# seconds\n"
		"\tleftid=\"@a # b\"\n\trightid=@c#d\n"
		"\tretransmit-timeout=\\\n4s\n\tRetransmit_Interval=100\n");
	const struct ike_conn *ike = files_ike(conf, "one");

	ok(conf && ike, "comments, blank lines and space are passed over");
	is_int(ike->dpd_delay_ms, 7000, "space around '=' and a comment behind");
	is_int(ike->local_id.id.len, 5, "a '#' in quotes is text");
	is_int(ike->remote_id.id.len, 3, "a '#' within a word is text");
	is_int(ike->retransmit_timeout_ms, 4000, "a line goes on after a backslash");
	is_int(ike->retransmit_interval_ms, 100, "names in any case, '_' as '-'; a bare interval is ms");
	conf_free(conf);
}

static void test_inheritance(void)
{
	struct conf *conf = files_load_text("conn %default\n\tretransmit-timeout=9s\n\tdpddelay=9s\n"
					    "conn base\n\tretransmit-timeout=8s\n\talso=deep\n"
					    "conn deep\n\tretransmit-timeout=7s\n\treplay-window=64\n"
					    "conn own\n" NULL_GROUP
					    "\tretransmit-timeout=6s\n\talso=base\n"
					    "conn taken\n" NULL_GROUP "\talso=base\n"
					    "conn plain\n" NULL_GROUP);

	ok(conf, "also= and %%default load");
	is_int(timeout_of(conf, "own"), 6000, "a conn's own counts before also=");
	is_int(timeout_of(conf, "taken"), 8000, "also= counts before %default, the nearer first");
	is_int(timeout_of(conf, "plain"), 9000, "%default counts for the rest");
	is_int(files_ike(conf, "taken")->replay_window, 64, "also= of also= counts too");
	ok(!files_group(conf, "base"), "a conn without a group is a building block");
	conf_free(conf);
}

static void test_sizes(void)
{
	struct conf *conf = files_load_text("conn one\n" NULL_GROUP
					    "\tipsec-max-bytes=10GiB\n\tipsec-max-packets=5000\n"
					    "conn two\n" NULL_GROUP);
	static const char *const bad[] = {"0", "10GB", "-1", "GiB", "9999999999TiB", "1 KiB"};

	ok(files_ike(conf, "one")->child_max_bytes == UINT64_C(10) << 30 &&
			files_ike(conf, "one")->child_max_packets == 5000,
		"ipsec-max-bytes with a unit, ipsec-max-packets without");
	is_int((intmax_t)files_ike(conf, "two")->child_max_bytes, 0, "no limit by default");
	conf_free(conf);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = mem_printf("conn one\n%s\tipsec-max-bytes=%s\n", NULL_GROUP, bad[i]);

		conf = files_load_text(text);
		ok(!conf, "refused: ipsec-max-bytes=%s", bad[i]);
		conf_free(conf);
		free(text);
	}
}

static void test_nat(void)
{
	struct conf *conf = files_load_text(
		"config setup\n\tkeep-alive=45s\n\tmasqueraded=10.0.1.0/24, fd00::/64\nconn one\n" NULL_GROUP
		"\tencapsulation=yes\n\tnat-keepalive=no\nconn two\n" NULL_GROUP
		"\tencapsulation=no\nconn three\n" NULL_GROUP "\tencapsulation=auto\n");

	is_int(conf->ike.keepalive_s, 45, "keep-alive");
	ok(conf->policy.masqueraded_count == 2 && conf->policy.masqueraded[1].len == 64, "masqueraded");
	ok(files_ike(conf, "one")->encapsulation == IKE_ENCAPSULATION_YES &&
			files_ike(conf, "one")->no_keepalive,
		"encapsulation=yes, nat-keepalive=no");
	ok(files_ike(conf, "two")->encapsulation == IKE_ENCAPSULATION_NO, "encapsulation=no");
	ok(files_ike(conf, "three")->encapsulation == IKE_ENCAPSULATION_AUTO &&
			!files_ike(conf, "three")->no_keepalive,
		"encapsulation=auto");
	conf_free(conf);
}

static void test_forceencaps(void)
{
	struct conf *conf = files_load_text("conn one\n" NULL_GROUP "\tforceencaps=yes\nconn two\n" NULL_GROUP
					    "\tforceencaps=no\nconn three\n" NULL_GROUP
					    "\tforceencaps=yes\n\tencapsulation=auto\n");

	ok(files_report.count == 0, "forceencaps= is nothing to warn of");
	ok(files_ike(conf, "one")->encapsulation == IKE_ENCAPSULATION_YES, "yes: encapsulation=yes");
	ok(files_ike(conf, "two")->encapsulation == IKE_ENCAPSULATION_AUTO, "no: encapsulation=auto");
	ok(files_ike(conf, "three")->encapsulation == IKE_ENCAPSULATION_AUTO, "encapsulation= itself comes first");
	conf_free(conf);
	conf = files_load_text("conn one\n" NULL_GROUP "\tforceencaps=perhaps\n");
	ok(!conf, "refused: forceencaps=perhaps");
	conf_free(conf);
}

static void test_default_also(void)
{
	struct conf *conf = files_load_text("conn %default\n\talso=base\n"
					    "conn base\n" NULL_GROUP "\tretransmit-timeout=5s\n"
					    "conn one\n\tdpddelay=1s\n");

	is_int(timeout_of(conf, "one"), 5000, "%default may use also=, and its base be a conn itself");
	conf_free(conf);
}

static void test_circle(void)
{
	ok(!files_load_text("conn a\n\talso=b\nconn b\n\talso=c\nconn c\n\talso=a\n"),
		"a circle of also= is refused");
	ok(files_said(CONF_ERROR, "oe.conf:9: also=a leads back to itself"), "with its place");
}

/* Every conn takes over every other: there are 30! ways through, and one is enough. */
static void test_many_ways(void)
{
	struct strbuf text = {0};

	for (unsigned i = 0; i < 30; i++) {
		strbuf_printf(&text, "conn c%u\n", i);
		for (unsigned j = 0; j < 30; j++) {
			if (j != i)
				strbuf_printf(&text, "\talso=c%u\n", j);
		}
	}
	ok(!files_load_text(text.text), "thirty conns that all take over each other end soon");
	strbuf_clear(&text);
}

static void test_twice(void)
{
	struct conf *conf = files_load_text("conn one\n" NULL_GROUP "\tdpddelay=1s\n\tdpddelay=2s\n");

	is_int(files_ike(conf, "one")->dpd_delay_ms, 2000, "the same key twice: the last counts");
	ok(files_said(CONF_WARNING, "oe.conf:8: 'dpddelay' is given again (first at"), "with a warning");
	conf_free(conf);
}

static void test_setup(void)
{
	struct conf *conf;

	files_write("more.conf", "config setup\n\tdns-hold=1500ms\n");
	conf = files_load_text("\tdns-forward=192.0.2.53 [2001:db8::53]:5353\n"
			       "\tdns-listen=127.0.0.1:5300\n\tdns-allow=192.0.2.0/24\n"
			       "\tdns-hold-grace=50ms\n\tdns-max-held=10\n\tdebug=all\n"
			       "\tstatedir=/s\n\tcontrol-socket=/c\nshuntlifetime=60\n"
			       "include more.conf\nconn one\n" NULL_GROUP);
	ok(conf, "config setup in two files counts as one");
	is_int(conf->resolver.hold_ms, 1500, "dns-hold");
	is_int(conf->resolver.hold_grace_ms, 50, "dns-hold-grace");
	is_int(conf->resolver.max_held, 10, "dns-max-held");
	is_int((intmax_t)conf->resolver.forward_count, 2, "dns-forward");
	is_int(conf->resolver.forward[1].port, 5353, "with a port");
	ok(conf->resolver.listen_count == 1 && !conf->resolver.listen_is_default, "dns-listen");
	is_int((intmax_t)conf->resolver.allow_count, 1, "dns-allow");
	ok(conf->setup.log_debug, "debug");
	is_str(conf->setup.state_dir, "/s", "statedir");
	is_str(conf->setup.control_socket, "/c", "control-socket");
	is_int(files_group(conf, "one")->shunt_lifetime_s, 60, "shuntlifetime for every conn");
	conf_free(conf);
}

static void test_defaults(void)
{
	struct conf *conf;

	files_write("empty.conf", "config setup\n\tsecretsfile=@/none\n\tpolicies-dir=@/none\n");
	conf = files_load("empty.conf");
	ok(conf && files_report.count == 0, "an empty configuration is one, without a word");
	is_int(conf->resolver.hold_ms, 2000, "dns-hold is 2 s by default");
	is_int(conf->resolver.hold_grace_ms, 100, "dns-hold-grace is 100 ms");
	ok(conf->resolver.listen_count == 2 && conf->resolver.listen_is_default, "two listeners");
	conf_free(conf);
}

static void test_include(void)
{
	struct conf *conf;

	files_write("d/1.conf", "conn one\n" NULL_GROUP "include 2.conf\n");
	files_write("d/2.conf", "conn two\n" NULL_GROUP);
	conf = files_load_text("include d/1*.conf\ninclude empty/*.conf\n");
	ok(files_group(conf, "one") && files_group(conf, "two"), "includes nest, relative to their file");
	ok(conf && conf->file_count == 3, "every file is known");
	conf_free(conf);
	files_write("self.conf", "include self.conf\ninclude s*.conf\n");
	ok(!files_load("self.conf"), "a file that includes itself is refused");
	ok(files_said(CONF_ERROR, "self.conf:2:"), "by pattern too, with its place");
	files_write("ring1.conf", "include ring2.conf\n");
	files_write("ring2.conf", "include ring1.conf\n");
	ok(!files_load("ring1.conf") && files_report.errors == 1, "a circle is said once");
}

static void test_depth(void)
{
	for (int i = 0; i < 20; i++) {
		char *name = mem_printf("deep%d.conf", i);
		char *text = mem_printf("include deep%d.conf\ninclude deep%d.conf\n", i + 1, i + 1);

		files_write(name, i < 19 ? text : "");
		free(name);
		free(text);
	}
	ok(!files_load("deep0.conf"), "too deep a nest is refused, however wide it is");
	ok(files_said(CONF_ERROR, "nested more than 16 deep"), "and named");
}

static void test_not_groups(void)
{
	struct conf *conf = files_load_text("conn static\n\tleft=192.0.2.1\n\tright=192.0.2.2\n"
					    "\tauto=start\nconn quiet\n\tright=192.0.2.2\n\tauto=ignore\n");

	ok(conf && conf->policy.conn_count == 0, "a conn between two hosts loads and is left out");
	ok(files_said(CONF_WARNING, "oe.conf:4: only group connections"), "with a warning");
	is_int((intmax_t)files_warnings(), 1, "auto=ignore without one");
	conf_free(conf);
	ok(!files_load_text("conn x\n\tright=%oportunisticgroup\n\tauto=route\n"),
		"a misspelt group is no host");
}

static void test_suites(void)
{
	struct conf *conf = files_load_text("conn one\n" NULL_GROUP
					    "\tike=aes_gcm256-sha2_512+sha2_256;x25519,AES_GCM-128;dh19+modp2048+DH16\n"
					    "\tesp=aes256-sha2_256,aes_gcm128-null\n");
	const struct ike_conn *ike = files_ike(conf, "one");

	ok(ike && ike->ike.encr_count == 2 && ike->ike.encr[0].key_bits == 256 &&
			ike->ike.encr[1].key_bits == 128,
		"two ciphers in their order, the length stuck on or apart");
	ok(ike && ike->ike.prf_count == 2 && ike->ike.prf[0] == 7 && ike->ike.prf[1] == 5, "two PRFs");
	ok(ike && ike->ike.ke_count == 4 && ike->ike.ke[0] == 31 && ike->ike.ke[1] == 19 &&
			ike->ike.ke[2] == 14 && ike->ike.ke[3] == 16,
		"four groups");
	ok(ike && ike->esp.encr_count == 2 && ike->esp.encr[0].id == 12 && ike->esp.encr[1].id == 20 &&
			ike->esp.integ_count == 1 && ike->esp.integ[0] == 12,
		"esp: AES-CBC with its integrity, and AES-GCM");
	is_int((intmax_t)files_warnings(), 0, "nothing is left out");
	conf_free(conf);
	conf = files_load_text(
		"conn one\n" NULL_GROUP
		"\tike=aes_cbc256-sha2_512,aes-sha384;x25519\n\tesp=aes_ctr128,aes_gcm128,aes128-sha1\n");
	ike = files_ike(conf, "one");
	ok(ike && ike->ike.encr_count == 2 && ike->ike.encr[1].key_bits == 128 &&
			ike->ike.integ_count == 2 && ike->ike.integ[0] == 14 && ike->ike.integ[1] == 13,
		"ike: a hash is the PRF and the integrity");
	ok(ike && ike->esp.encr_count == 1 && ike->esp.encr[0].id == 20, "esp: what there is");
	ok(files_said(CONF_WARNING,
		   "esp: not available in this build, left out: aes_ctr128, sha1 with aes"),
		"and what is left out is said");
	conf_free(conf);
	ok(!files_load_text("conn one\n" NULL_GROUP "\tesp=aes256-sha1\n") &&
			files_said(CONF_ERROR, "esp=aes256-sha1: no hash of these is available"),
		"SHA-1 is not replaced by another hash");
	ok(!files_load_text("conn one\n" NULL_GROUP "\tike=aes256-sha1;x25519\n"), "nor for IKE");
	ok(!files_load_text("conn one\n" NULL_GROUP "\tike=aes_gcm256;modp1024\n"),
		"a key exchange that is not here does not become another one");
	ok(!files_load_text("conn one\n" NULL_GROUP "\tike=aes_gmc256\n") &&
			files_said(CONF_ERROR, "'aes_gmc256' is no algorithm"),
		"a misspelt algorithm is an error");
}

static void test_numbers(void)
{
	struct conf *conf = files_load_text("conn yes\n" NULL_GROUP "\tesn=yes\n\treplay-window=4096\n"
					    "conn no\n" NULL_GROUP "\tesn=no\n"
					    "conn either\n" NULL_GROUP "\tesn=either\n");

	ok(conf && files_ike(conf, "yes")->esp.esn_count == 1 && files_ike(conf, "yes")->esp.esn[0] == 1,
		"esn=yes");
	ok(conf && files_ike(conf, "no")->esp.esn_count == 1 && files_ike(conf, "no")->esp.esn[0] == 0,
		"esn=no");
	ok(conf && files_ike(conf, "either")->esp.esn_count == 0, "esn=either");
	is_int(files_ike(conf, "yes")->replay_window, 4096, "the largest window");
	conf_free(conf);
	ok(!files_load_text("conn x\n" NULL_GROUP "\treplay-window=0\n") &&
			files_said(CONF_ERROR, "replay-window=0: there are windows of 1 to 4096 packets"),
		"no window is none");
	ok(!files_load_text("conn x\n" NULL_GROUP "\treplay-window=4097\n"), "nor is what no kernel takes");
	ok(!files_load_text("conn x\n" NULL_GROUP "\tesn=maybe\n"), "esn=maybe");
}

static const struct ike_suite *addke_suite(struct conf **conf, const char *ike, const char *more)
{
	char text[256];

	snprintf(text, sizeof(text), "%s\tike=%s\n%s", "conn one\n" NULL_GROUP, ike, more);
	*conf = files_load_text(text);
	return *conf ? &files_ike(*conf, "one")->ike : NULL;
}

static void test_addke(void)
{
	struct conf *conf;
	const struct ike_suite *suite =
		addke_suite(&conf, "aes_gcm256-sha2_256;x25519+dh19;addke1=ECP_384+modp2048;addke3=dh15,aes_gcm128", "");

	ok(suite && suite->ke_count == 2 && suite->encr_count == 2 && suite->addke_count[0] == 2 &&
			suite->addke[0][0] == IKE_GROUP_ECP_384 && suite->addke[0][1] == IKE_GROUP_MODP_2048 &&
			suite->addke_count[1] == 0 && suite->addke_count[2] == 1 &&
			suite->addke[2][0] == IKE_GROUP_MODP_3072,
		"addke1= and addke3=, libreswan's words");
	conf_free(conf);
	suite = addke_suite(&conf, "aes256gcm16-sha256-x25519-ke1_ecp384-ke1_none-ke7_modp4096", "\tintermediate=yes\n");
	ok(suite && suite->ke_count == 1 && suite->addke_count[0] == 2 && suite->addke[0][1] == IKE_KE_NONE &&
			suite->addke_count[6] == 1 && files_ike(conf, "one")->intermediate,
		"ke1_ and ke7_, strongSwan's");
	conf_free(conf);
	ok(!addke_suite(&conf, "aes_gcm256;x25519;addke1=ml_kem_768", "") &&
			files_said(CONF_ERROR, "no key exchange of these is available"),
		"one that this build has not, and that is demanded, is an error");
	suite = addke_suite(&conf, "aes_gcm256;x25519;addke1=ml_kem_768+ecp384", "");
	ok(suite && suite->addke_count[0] == 1 && files_said(CONF_WARNING, "left out: addke1=ml_kem_768"),
		"beside another it is left out");
	conf_free(conf);
	suite = addke_suite(&conf, "aes_gcm256;x25519;addke1=ml_kem_768+none", "");
	ok(suite && suite->addke_count[0] == 0, "and where there may be none, there is none");
	conf_free(conf);
	ok(!addke_suite(&conf, "aes_gcm256;x25519;addke1=ecp384", "\tintermediate=no\n") &&
			files_said(CONF_ERROR, "intermediate=no: the additional key exchanges"),
		"intermediate=no contradicts them");
	ok(!addke_suite(&conf, "aes_gcm256;addke8=ecp384", "") && !addke_suite(&conf, "aes_gcm256;addke0=ecp384", "") &&
			!addke_suite(&conf, "aes_gcm256;addke1=", "") && !addke_suite(&conf, "aes_gcm256;addke1", "") &&
			!addke_suite(&conf, "aes_gcm256;addke1=sha2", "") && !addke_suite(&conf, "aes_gcm256;ke1", ""),
		"what is none");
}

static void test_ppk(void)
{
	struct conf *conf = files_load_text("conn none\n" NULL_GROUP "conn may\n" NULL_GROUP "\tppk=yes\n"
					    "conn must\n" NULL_GROUP "\tppk=insist\n\tppk-ids=a,b\n"
					    "conn never\n" NULL_GROUP "\tppk=never\n");

	ok(conf && files_ike(conf, "none")->ppk == IKE_PPK_NEVER &&
			files_ike(conf, "never")->ppk == IKE_PPK_NEVER &&
			files_ike(conf, "may")->ppk == IKE_PPK_PROPOSE && !files_ike(conf, "may")->ppk_ids &&
			files_ike(conf, "must")->ppk == IKE_PPK_INSIST,
		"ppk=");
	is_str(files_ike(conf, "must")->ppk_ids, "a,b", "ppk-ids=");
	conf_free(conf);
	ok(!files_load_text("conn x\n" NULL_GROUP "\tppk=maybe\n"), "ppk=maybe");
}

static void test_verify_name(void)
{
	struct conf *conf = files_load_text("conn yes\n\tright=%opportunisticgroup\n\tleftauth=null\n\tleftid=%null\n"
					    "\tverify-name=yes\n\tauto=ondemand\n"
					    "conn no\n\tright=%opportunisticgroup\n\tauto=ondemand\n");

	ok(conf && files_ike(conf, "yes")->verify_name && files_group(conf, "yes")->verify_name,
		"verify-name=yes");
	ok(conf && !files_ike(conf, "no")->verify_name && !files_group(conf, "no")->verify_name,
		"no by default");
	conf_free(conf);
	ok(!files_load_text("conn x\n" NULL_GROUP "\tverify-name=yes\n") &&
			files_said(CONF_ERROR, ":7: conn x: verify-name=yes needs the other end's certificate"),
		"without a certificate it is an error, with its place");
	ok(!files_load_text("conn x\n\tright=%opportunisticgroup\n\tleftauth=rsasig\n\trightauth=secret\n"
			    "\tverify-name=yes\n") &&
			files_said(CONF_ERROR, "shows who it is by psk"),
		"the other end's way counts");
	conf = files_load_text("conn %default\n\tverify-name=no\nconn x\n" NULL_GROUP);
	ok(conf, "verify-name=no goes with everything");
	conf_free(conf);
}

static void test_ends(void)
{
	struct conf *conf = files_load_text("conn one\n\tleft=%opportunisticgroup\n\tleftauth=secret\n"
					    "\trightauth=null\n\tleftid=@peer\n");
	const struct ike_conn *ike = files_ike(conf, "one");

	ok(ike && ike->local_auth == IKE_AUTH_NULL && ike->remote_auth == IKE_AUTH_PSK &&
			ike->remote_id.kind == IKE_ID_KIND_EXACT,
		"left=%%opportunisticgroup: the ends change places");
	conf_free(conf);
	conf = files_load_text("conn one\n\tright=%opportunisticgroup\n");
	ike = files_ike(conf, "one");
	ok(ike && ike->local_auth == IKE_AUTH_UNAVAILABLE && ike->unavailable,
		"no authby= means certificates, never NULL (G7)");
	conf_free(conf);
}

int main(void)
{
	files_begin();
	test_lines();
	test_inheritance();
	test_sizes();
	test_nat();
	test_forceencaps();
	test_default_also();
	test_circle();
	test_many_ways();
	test_twice();
	test_setup();
	test_defaults();
	test_include();
	test_depth();
	test_not_groups();
	test_suites();
	test_numbers();
	test_addke();
	test_ppk();
	test_verify_name();
	test_ends();
	return files_done();
}
