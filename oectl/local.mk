# oectl/: the control program.
bin_PROGRAMS += oectl/oectl
oectl_oectl_SOURCES = \
	oectl/check.c oectl/check.h \
	oectl/client.c oectl/client.h \
	oectl/import.c oectl/import.h \
	oectl/main.c \
	oectl/show.c oectl/show.h
oectl_oectl_LDADD = $(CONF_LIBS) $(JANSSON_LIBS) -lm

# Scripts: it is the programs that are tested, as a user starts them.
LINT_TESTS += t/unit/commands.t t/unit/import.t
EXTRA_DIST += t/unit/Program.pm
