/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files as editors, terminals and accidents leave them: each is read as it was meant, or says what is wrong. */
#include "t/unit/conf_files.h"

#define GROUP "conn private\n\tright=%opportunisticgroup\n\tauthby=secret\n"
#define MARK "\xef\xbb\xbf"

/* The conn with one more line. */
static struct conf *load_with(const char *key, const char *value)
{
	char *text = mem_printf("%s\t%s=%s\n", GROUP, key, value);
	struct conf *conf = files_load_text(text);

	free(text);
	return conf;
}

static const struct ike_psk *only_psk(const struct conf *conf)
{
	return conf && conf->ike.psk_count == 1 ? &conf->ike.psks[0] : NULL;
}

/* One line of each file, with what an editor puts at its beginning and at its end. */
static void check_editor(const char *what, const char *begin, const char *end)
{
	char *main = mem_printf("%s" FILES_HEAD "%s%s", begin, GROUP, end);
	char *group = mem_printf("%s192.0.2.0/24%s", begin, end);
	char *secrets = mem_printf("%s: PSK \"sesame\"%s", begin, end);
	const struct ike_psk *psk;
	struct conf *conf;

	files_write("policies/private", group);
	files_write("oe.secrets", secrets);
	files_write("oe.conf", main);
	conf = files_load("oe.conf");
	psk = only_psk(conf);
	ok(conf && files_report.count == 0, "%s: loads without a word", what);
	ok(conf && conf->policy.line_count == 1, "%s: the group has its line", what);
	ok(psk && psk->id_count == 0 && psk->secret.len == 6, "%s: the secret is everybody's, as written", what);
	conf_free(conf);
	free(main);
	free(group);
	free(secrets);
}

static void test_editors(void)
{
	check_editor("plain", "", "\n");
	check_editor("no newline at the end", "", "");
	check_editor("lines of DOS", "", "\r\n");
	check_editor("blanks", " \n\t\n", "  \t \n\n");
	check_editor("a byte order mark", MARK, "\n");
}

static void test_utf16(void)
{
	static const char text[] = "\xff\xfe"
				   "c\0o\0n\0f\0i\0g\0\n\0";
	static const char group[] = "192.0.2.1\n192.0.2.2\0 tcp 0 22\n";
	static const char secrets[] = ": PSK \"a\"\n\n: PSK\0 \"b\"\n";
	struct conf *conf;

	files_write("oe.secrets", "");
	files_write("policies/private", "");
	files_write_bytes("wide.conf", text, sizeof(text) - 1);
	ok(!files_load("wide.conf"), "a file in UTF-16 is refused");
	is_int((intmax_t)files_report.errors, 1, "with one message");
	ok(files_said(CONF_ERROR, "wide.conf:1: a NUL byte in the text (is it UTF-16?)"), "that says so");
	files_write_bytes("policies/private", group, sizeof(group) - 1);
	conf = files_load_text(GROUP);
	ok(!conf && files_said(CONF_ERROR, "policies/private:2: a NUL byte"), "in a group's file");
	files_write("policies/private", "");
	files_write_bytes("oe.secrets", secrets, sizeof(secrets) - 1);
	conf = files_load_text(GROUP);
	ok(!conf && files_said(CONF_ERROR, "oe.secrets:3: a NUL byte"), "among secrets");
	files_write("oe.secrets", "");
}

/* Messages go to terminals, to the log and into JSON. */
static void test_messages(void)
{
	char *zeros = mem_printf("%020000d", 0), *id = mem_printf("@%s", zeros);

	ok(!load_with("r\xe9sum\xc3\xa9\x1b[2J", "1"), "an option in two encodings");
	ok(files_said(CONF_ERROR, "oe.conf:7: unknown option 'r?sum\xc3\xa9?[2j'"),
		"is named in UTF-8 without control characters");
	ok(!load_with(zeros, "1") && files_report.errors == 1, "an option of 20,000 letters");
	ok(strlen(files_report.messages[0].text) < 600, "fills some lines");
	ok(!load_with("leftid", id) && files_report.errors == 1, "a value of 20,000 letters");
	ok(strlen(files_report.messages[0].text) < 600, "fills some lines");
	ok(files_said(CONF_ERROR, "oe.conf:7: leftid=@000") && files_said(CONF_ERROR, "000: expected %null"),
		"of the message's beginning and end");
	free(zeros);
	free(id);
}

static void test_nearest(void)
{
	static const char *const near[][2] = {{"lefft", "left"}, {"authyb", "authby"},
		{"failurshunt", "failureshunt"}, {"retransmit-timout", "retransmit-timeout"}, {"ikee", "ike"}};
	static const char *const far[] = {"foo", "b", "xyz", "tls-mode"};

	for (size_t i = 0; i < ARRAY_LEN(near); i++) {
		char *said = mem_printf("unknown option '%s', did you mean '%s'?", near[i][0], near[i][1]);

		ok(!load_with(near[i][0], "1") && files_said(CONF_ERROR, said), "%s", said);
		free(said);
	}
	for (size_t i = 0; i < ARRAY_LEN(far); i++)
		ok(!load_with(far[i], "1") && files_said(CONF_ERROR, "unknown option") &&
				!files_said(CONF_ERROR, "did you mean"),
			"%s is like no other", far[i]);
}

static void test_no_effect(void)
{
	struct conf *conf = load_with("leftckaid", "ab12");

	ok(conf && files_said(CONF_WARNING, "oe.conf:7: option 'leftckaid' has no effect here"),
		"leftckaid is said to do nothing");
	conf_free(conf);
}

/* The file that is meant is named, and why it could not be read. */
static void test_certificate(void)
{
	static const char text[] = "\tpki-dir=@/pki\nconn private\n\tright=%opportunisticgroup\n\tauthby=rsasig\n"
				   "\tleftcert=host\n";
	struct conf *conf = files_load_text(text);

	ok(conf && files_said(CONF_DEFECT, "pki/certs/host.pem: No such file"), "a certificate that is not there");
	conf_free(conf);
	mkdir(files_path("pki"), 0700);
	mkdir(files_path("pki/certs"), 0700);
	mkdir(files_path("pki/certs/host.pem"), 0700);
	conf = files_load_text(text);
	ok(conf && files_said(CONF_DEFECT, "pki/certs/host.pem: Is a directory"), "one that cannot be read");
	conf_free(conf);
}

int main(void)
{
	files_begin();
	test_editors();
	test_utf16();
	test_messages();
	test_nearest();
	test_no_effect();
	test_certificate();
	return files_done();
}
