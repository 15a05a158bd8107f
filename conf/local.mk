# conf/: ipsec.conf, group files and secrets into the structs of the wings.
noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	conf/algorithm.c \
	conf/certs.c \
	conf/conf.c conf/conf.h \
	conf/conn.c \
	conf/conn_auth.c \
	conf/file.c \
	conf/group_file.c \
	conf/internal.h \
	conf/keyword.c \
	conf/parser.c \
	conf/report.c \
	conf/resolve.c \
	conf/save.c \
	conf/secrets.c \
	conf/setup.c \
	conf/value.c \
	conf/weigh.c

FUZZ_TARGETS += t/fuzz/fuzz_conf
t_fuzz_fuzz_conf_SOURCES = t/fuzz/fuzz_conf.c
t_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_conf_LDADD = $(CONF_LIBS)
UNIT_TESTS += t/fuzz/replay_conf
t_fuzz_replay_conf_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_conf.c t/tap.h
t_fuzz_replay_conf_LDADD = $(CONF_LIBS)
EXTRA_DIST += t/fuzz/corpus/conf

UNIT_TESTS += t/unit/conf_certs t/unit/conf_grammar t/unit/conf_seed t/unit/conf_mistakes t/unit/conf_groups \
	t/unit/conf_secrets t/unit/conf_odd
t_unit_conf_certs_SOURCES = t/unit/conf_certs.c t/unit/conf_files.h t/pki.c t/pki.h t/tap.h
t_unit_conf_certs_LDADD = $(CONF_LIBS)
t_unit_conf_odd_SOURCES = t/unit/conf_odd.c t/unit/conf_files.h t/tap.h
t_unit_conf_odd_LDADD = $(CONF_LIBS)
t_unit_conf_grammar_SOURCES = t/unit/conf_grammar.c t/unit/conf_files.h t/tap.h
t_unit_conf_grammar_LDADD = $(CONF_LIBS)
t_unit_conf_seed_SOURCES = t/unit/conf_seed.c t/unit/conf_files.h t/tap.h
t_unit_conf_seed_LDADD = $(CONF_LIBS)
t_unit_conf_mistakes_SOURCES = t/unit/conf_mistakes.c t/unit/conf_files.h t/tap.h
t_unit_conf_mistakes_LDADD = $(CONF_LIBS)
t_unit_conf_groups_SOURCES = t/unit/conf_groups.c t/unit/conf_files.h t/tap.h
t_unit_conf_groups_LDADD = $(CONF_LIBS)
t_unit_conf_secrets_SOURCES = t/unit/conf_secrets.c t/unit/conf_files.h t/tap.h
t_unit_conf_secrets_LDADD = $(CONF_LIBS)
EXTRA_DIST += t/data/seed/ipsec.conf t/data/seed/oe-certificate.conf

check_PROGRAMS += t/lint/keywords
t_lint_keywords_SOURCES = t/lint/keywords.c
t_lint_keywords_LDADD = $(CONF_LIBS)
LINT_TESTS += t/lint/options.t
dist_man_MANS += doc/oe.conf.5
