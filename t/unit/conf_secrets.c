/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec.secrets(5) syntax, and a configuration that is kept and loaded again (C2). */
#include "ike/id.h"
#include "t/unit/conf_files.h"

static struct conf *load_secrets(const char *text)
{
	files_write("oe.secrets", text);
	return files_load_text("");
}

static bool is_secret(const struct conf *conf, size_t index, const char *want)
{
	return conf && index < conf->ike.psk_count &&
	       conf->ike.psks[index].secret.len == strlen(want) &&
	       memcmp(conf->ike.psks[index].secret.data, want, strlen(want)) == 0;
}

static void test_forms(void)
{
	struct conf *conf = load_secrets("# secrets\n"
					 ": PSK \"plain # text\"\n"
					 ": PSK 0x616263 # hex\n"
					 ": PSK 0sYWJj\n"
					 ": PSK \"0x616263\"\n"
					 ": PSK 'single'\n"
					 "192.0.2.1 @host.example\n"
					 "  # who else\n"
					 "  user@example.com 2001:db8:: : PSK\n"
					 "\t\"over lines\"\n"
					 "@near: PSK \"stuck\"\n"
					 "%any 0.0.0.0 : PSK \"all\"");

	ok(conf, "all forms load");
	is_int((intmax_t)conf->ike.psk_count, 8, "each is one");
	ok(is_secret(conf, 0, "plain # text"), "text in quotes, a '#' in it too");
	ok(is_secret(conf, 1, "abc"), "0xHEX");
	ok(is_secret(conf, 2, "abc"), "0sBASE64");
	ok(is_secret(conf, 3, "0x616263"), "what stands in quotes is text");
	ok(is_secret(conf, 4, "single"), "single quotes");
	ok(is_secret(conf, 5, "over lines") && conf->ike.psks[5].id_count == 4,
		"an entry over several lines, with a comment in it");
	is_int(conf->ike.psks[5].ids[0].type, 1, "an address");
	is_int(conf->ike.psks[5].ids[1].type, 2, "a name");
	is_int(conf->ike.psks[5].ids[2].type, 3, "a user");
	is_int(conf->ike.psks[5].ids[3].type, 5, "an IPv6 address that ends in a colon");
	ok(is_secret(conf, 6, "stuck") && conf->ike.psks[6].id_count == 1, "a colon stuck to the id");
	ok(conf->ike.psks[7].ids[0].type == IKE_ID_TYPE_ANY &&
			conf->ike.psks[7].ids[1].type == IKE_ID_TYPE_ANY,
		"%%any and 0.0.0.0 are everybody");
	conf_free(conf);
}

static void test_others(void)
{
	struct conf *conf = load_secrets(": RSA {\n\tModulus: 0x03\n\tPublicExponent: 0x03\n\t}\n"
					 "@x : P12 file.p12 \"pin\"\n: PSK \"one\"\n");

	ok(conf && conf->ike.psk_count == 1, "RSA and P12 are passed over");
	ok(files_said(CONF_WARNING, "oe.secrets:1: secrets of kind RSA") &&
			files_said(CONF_WARNING, "oe.secrets:5: secrets of kind P12"),
		"with a warning");
	conf_free(conf);
}

static void test_ppks(void)
{
	struct conf *conf = load_secrets(": PPKS \"fleet 2026\" \"an old friend of both, who keeps quiet\"\n"
					 "@a @b : ppks 0x0001ff 0x616263\n"
					 ": PSK \"one\"\n"
					 ": PPKS 'fleet 2026' \"another one of that name, and long enough\"\n");

	ok(conf && conf->ike.ppk_count == 3 && conf->ike.psk_count == 1, "PPKs beside PSKs");
	ok(conf && conf->ike.ppks[0].name_len == 10 && memcmp(conf->ike.ppks[0].name, "fleet 2026", 10) == 0 &&
			conf->ike.ppks[0].secret.len == 38,
		"a name and a secret in quotes");
	ok(conf && conf->ike.ppks[1].name_len == 3 && memcmp(conf->ike.ppks[1].name, "\0\1\377", 3) == 0 &&
			conf->ike.ppks[1].id_count == 2,
		"a name in hex, for two");
	ok(files_said(CONF_WARNING, "oe.secrets:2: a PPK should have 32 bytes"), "a short one");
	ok(files_said(CONF_WARNING, "oe.secrets:4: there is a PPK of this name"), "one of the same name");
	conf_free(conf);
	files_write("oe.secrets", ": PSK \"one\"\n");
	conf = files_load_text("conn one\n\tright=%opportunisticgroup\n\tauthby=secret\n\tppk=insist\n\tauto=ondemand\n");
	ok(conf && files_said(CONF_DEFECT, "conn one: ppk=insist, but there are no PPKS in"),
		"insisting on one that is not there is a defect (G7)");
	conf_free(conf);
	ok(!load_secrets(": PPKS\n: PPKS \"name\"\n: PPKS \"\" \"x\"\n: PPKS \"n\" 0xq\n%fromcert : PPKS \"n\" \"x\"\n"),
		"bad ones refuse the whole");
	is_int((intmax_t)files_report.errors, 5, "one message each");
	ok(files_said(CONF_ERROR, "oe.secrets:2: expected a name and one secret") &&
			files_said(CONF_ERROR, "oe.secrets:3: the name of the PPK cannot be read") &&
			files_said(CONF_ERROR, "oe.secrets:4: the secret cannot be read"),
		"which says what is wrong");
}

static void test_bad(void)
{
	static const char *const said[] = {"oe.secrets:1: quotes do not match",
		"oe.secrets:2: expected [IDS]", "oe.secrets:3: expected one secret",
		"oe.secrets:4: the secret cannot be read", "oe.secrets:5: '%fromcert' is no identity",
		"oe.secrets:6: the secret cannot be read", "oe.secrets:7: cannot include"};

	ok(!load_secrets(": PSK \"open\n@a @b PSK \"x\"\n: PSK\n: PSK 0xzz\n%fromcert : PSK \"x\"\n"
			 ": PSK \"\"\ninclude missing.secrets\n"),
		"bad secrets refuse the whole");
	is_int((intmax_t)files_report.errors, ARRAY_LEN(said), "one message each");
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		ok(files_said(CONF_ERROR, said[i]), "%s", said[i]);
	for (size_t i = 0; i < files_report.count; i++) {
		if (strstr(files_report.messages[i].text, "open"))
			ok(false, "no message shows a secret");
	}
}

static void test_include(void)
{
	struct conf *conf;

	files_write("s/a.secrets", ": PSK \"from a\"\n");
	files_write("s/b.secrets", ": PSK \"from b\"\n");
	conf = load_secrets("include s/*.secrets\ninclude none/*.secrets\n");
	ok(is_secret(conf, 0, "from a") && is_secret(conf, 1, "from b"), "include, by a pattern too");
	conf_free(conf);
	ok(!load_secrets("include oe.secrets\n"), "a file that includes itself is refused");
}

static void test_mode(void)
{
	struct conf *conf;

	files_write("oe.secrets", ": PSK \"x\"\n");
	chmod(files_path("oe.secrets"), 0644);
	conf = files_load_text("");
	ok(conf && files_said(CONF_WARNING, "can be read by others (mode 0644)"), "a file open to all");
	conf_free(conf);
	unlink(files_path("oe.secrets"));
	conf = files_load_text("");
	ok(conf && files_report.count == 0, "no file at all is an empty one");
	conf_free(conf);
}

/* G7: what cannot authenticate is told when it is loaded. */
static void test_none(void)
{
	static const char text[] = "conn private\n\tright=%opportunisticgroup\n\tauthby=secret\n"
				   "conn own\n\tright=%opportunisticgroup\n\tauthby=null\n";
	struct conf *conf;

	unlink(files_path("oe.secrets"));
	conf = files_load_text(text);
	ok(conf && files_said(CONF_DEFECT, "conn private: authby=secret, but there is no PSK in ") &&
			files_said(CONF_DEFECT, "oe.secrets; every negotiation of it fails"),
		"a conn without any secret");
	is_int((intmax_t)files_report.defects, 1, "and that one only");
	conf_free(conf);
	files_write("oe.secrets", ": PPKS \"name\" 0x00\n");
	conf = files_load_text(text);
	is_int((intmax_t)files_report.defects, 1, "a PPK is none");
	conf_free(conf);
	files_write("oe.secrets", "@other : PSK \"x\"\n");
	conf = files_load_text(text);
	ok(conf && files_report.count == 0, "whom a PSK is for shows at the handshake");
	conf_free(conf);
}

static void test_many(void)
{
	struct strbuf text = {0};
	struct conf *conf;

	for (int i = 0; i < 1000; i++)
		strbuf_printf(&text, "@h%d : PSK \"secret %d\"\n", i, i);
	conf = load_secrets(text.text);
	ok(is_secret(conf, 0, "secret 0") && is_secret(conf, 999, "secret 999"), "a thousand secrets");
	strbuf_clear(&text);
	conf_free(conf);
}

/* Rule C2: what was kept says the same when it is loaded again. */
static void test_keep(void)
{
	struct conf *conf, *again = NULL;
	char *path;
	int error;

	files_write("policies/private", "192.0.2.0/24\n");
	files_write("oe.secrets", "%any @a : PSK \"kept \\ \"\n@a : PPKS \"a \\ name\" \"kept too, and it is long enough to be\"\n");
	conf = files_load_text("conn %default\n\tdpddelay=5s\n"
			       "conn private # it is\n\tright=%opportunisticgroup\n\tauthby=secret\n"
			       "\tleftid=\"@a # b\"\n\tike=aes_gcm256\n");
	error = conf ? conf_save(conf, files_path("kept")) : -1;
	is_int(error, 0, "a configuration can be kept");
	conf_free(conf);
	path = conf_saved_path("kept");
	if (!error)
		again = files_load(path);
	ok(again && files_report.count == 0, "and loads again, without a word");
	ok(again && is_secret(again, 0, "kept \\ ") && again->ike.psks[0].id_count == 2, "its secret");
	ok(again && again->ike.ppk_count == 1 && again->ike.ppks[0].name_len == 8 &&
			memcmp(again->ike.ppks[0].name, "a \\ name", 8) == 0 &&
			again->ike.ppks[0].secret.len == 37 && again->ike.ppks[0].id_count == 1,
		"its PPK");
	ok(again && again->policy.line_count == 1, "its lines");
	ok(again && files_ike(again, "private")->local_id.id.len == 5 &&
			files_ike(again, "private")->dpd_delay_ms == 5000,
		"its conn");
	free(path);
	conf_free(again);
}

int main(void)
{
	files_begin();
	test_forms();
	test_others();
	test_ppks();
	test_bad();
	test_include();
	test_mode();
	test_none();
	test_many();
	test_keep();
	return files_done();
}
