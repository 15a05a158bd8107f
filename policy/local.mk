# policy/: groups, lines, flows and who waits. Pure.
noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	policy/flow.c policy/flow.h \
	policy/group.c \
	policy/line.c policy/line.h \
	policy/names.c policy/names.h \
	policy/policy.c policy/policy.h \
	policy/reconfigure.c \
	policy/table.c policy/table.h \
	policy/waiter.c

UNIT_TESTS += t/unit/policy_table t/unit/policy_flow t/unit/policy_change t/unit/policy_names
t_unit_policy_table_SOURCES = t/unit/policy_table.c t/tap.h
t_unit_policy_table_LDADD = $(POLICY_LIBS)
t_unit_policy_flow_SOURCES = t/unit/policy_flow.c t/unit/policy_world.h t/tap.h
t_unit_policy_flow_LDADD = $(POLICY_LIBS)
t_unit_policy_change_SOURCES = t/unit/policy_change.c t/unit/policy_world.h t/tap.h
t_unit_policy_change_LDADD = $(POLICY_LIBS)
t_unit_policy_names_SOURCES = t/unit/policy_names.c t/tap.h
t_unit_policy_names_LDADD = $(POLICY_LIBS)
