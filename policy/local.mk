# policy/: groups, lines, flows and who waits. Pure.
noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	policy/flow.c policy/flow.h \
	policy/group.c \
	policy/line.c policy/line.h \
	policy/policy.c policy/policy.h \
	policy/reconfigure.c \
	policy/table.c policy/table.h \
	policy/waiter.c
