/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One load tells all mistakes, each with its file and line; any of them refuses the whole. */
#include "t/unit/conf_files.h"

static const char ten[] = "config setup\n"
			  "\tpolicies-dir=@/policies\n"
			  "\tsecretsfile=@/oe.secrets\n"
			  "\tdns-hold=9s\n"		    /* 4 */
			  "\tdns-listen=127.0.0.53 nowhere\n" /* 5 */
			  "\tauthby=null\n"		    /* 6 */
			  "conn private\n"
			  "\tright=%opportunisticgroup\n"
			  "\tlefft=%defaultroute\n"	   /* 9 */
			  "\tauthby=null\n"
			  "\tauto=sometimes\n"		   /* 11 */
			  "\tretransmit-timeout=soon\n"	   /* 12 */
			  "\tikev2=never\n"		   /* 13 */
			  "\tesp=aes256-sha1\n"		   /* 14 */
			  "\talso=nobody\n"		   /* 15 */
			  "\tleftid=\"@half\n"		   /* 16 */
			  "include missing.conf\n"	   /* 17 */
			  "conn\n"			   /* 18 */
			  "\tjust words\n";		   /* 19 */

static void test_conf(void)
{
	static const char *const said[] = {"bad.conf:4: dns-hold is 4s at most",
		"bad.conf:5: dns-listen: 'nowhere' is no ADDRESS",
		"bad.conf:6: option 'authby' belongs in a conn",
		"bad.conf:9: unknown option 'lefft', did you mean 'left'?",
		"bad.conf:11: auto=sometimes: expected ondemand",
		"bad.conf:12: retransmit-timeout=soon: expected TIME",
		"bad.conf:13: ikev2=never: there is IKEv2 only",
		"bad.conf:14: esp=aes256-sha1: no hash of these is available",
		"bad.conf:15: also=nobody: there is no such conn",
		"bad.conf:16: quotes of 'leftid' do not match", "bad.conf:17: cannot include",
		"bad.conf:18: 'conn' is no section here",
		"bad.conf:19: 'just words' is neither a section nor KEY=VALUE",
		"policies/private:2: 'nonsense' is no address, prefix or name",
		"oe.secrets:1: expected [IDS] : PSK"};

	files_write("bad.conf", ten);
	files_write("policies/private", "192.0.2.0/24\nnonsense\n");
	files_write("oe.secrets", "PSK nothing\n");
	ok(!files_load("bad.conf"), "a file with mistakes is refused");
	is_int((intmax_t)files_report.errors, ARRAY_LEN(said), "one message for each, no more");
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		ok(files_said(CONF_ERROR, said[i]), "%s", said[i]);
}

static void test_missing(void)
{
	ok(!files_load("nowhere.conf"), "a main file that is not there is refused");
	ok(files_said(CONF_ERROR, "nowhere.conf: No such file"), "and said");
}

int main(void)
{
	files_begin();
	test_conf();
	test_missing();
	return files_done();
}
