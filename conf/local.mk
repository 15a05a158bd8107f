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
	conf/secrets.c \
	conf/value.c
