# conf/: ipsec.conf, group files and secrets into the structs of the wings.
noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	conf/build.c \
	conf/conf.c conf/conf.h \
	conf/file.c \
	conf/group_file.c \
	conf/internal.h \
	conf/keyword.c \
	conf/parser.c \
	conf/report.c \
	conf/save.c \
	conf/secrets.c \
	conf/value.c

FUZZ_TARGETS += t/fuzz/fuzz_conf
t_fuzz_fuzz_conf_SOURCES = t/fuzz/fuzz_conf.c
t_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_conf_LDADD = $(CONF_LIBS)
UNIT_TESTS += t/fuzz/replay_conf
t_fuzz_replay_conf_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_conf.c t/tap.h
t_fuzz_replay_conf_LDADD = $(CONF_LIBS)
EXTRA_DIST += t/fuzz/corpus/conf
