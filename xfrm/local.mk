# xfrm/: the data plane interface and its implementation in the kernel.
noinst_LIBRARIES += libxfrm.a
libxfrm_a_SOURCES = \
	xfrm/dataplane.c xfrm/dataplane.h \
	xfrm/departing.c \
	xfrm/decode.c xfrm/decode.h \
	xfrm/desired.c \
	xfrm/encode.c xfrm/encode.h \
	xfrm/entry.c xfrm/entry.h \
	xfrm/flow.c \
	xfrm/foreign.c \
	xfrm/guard.c \
	xfrm/host.c \
	xfrm/lines.c \
	xfrm/mirror.c \
	xfrm/netlink.c xfrm/netlink.h \
	xfrm/plane.h \
	xfrm/search.c \
	xfrm/spread.c \
	xfrm/state.c \
	xfrm/waiting.c \
	xfrm/weigh.c
libxfrm_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)

UNIT_TESTS += t/unit/xfrm_weigh
t_unit_xfrm_weigh_SOURCES = t/unit/xfrm_weigh.c t/tap.h
t_unit_xfrm_weigh_LDADD = $(XFRM_LIBS) $(EV_LIBS)
# These need root and a kernel with XFRM; without they say so and skip.
UNIT_TESTS += t/unit/xfrm_lines t/unit/xfrm_flows t/unit/xfrm_search t/unit/xfrm_spread \
	t/unit/xfrm_waiting t/unit/xfrm_tunnels t/unit/xfrm_refused
t_unit_xfrm_lines_SOURCES = t/unit/xfrm_lines.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_lines_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_flows_SOURCES = t/unit/xfrm_flows.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_flows_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_search_SOURCES = t/unit/xfrm_search.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_search_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_spread_SOURCES = t/unit/xfrm_spread.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_spread_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_waiting_SOURCES = t/unit/xfrm_waiting.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_waiting_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_tunnels_SOURCES = t/unit/xfrm_tunnels.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_tunnels_LDADD = $(XFRM_LIBS) $(EV_LIBS)
t_unit_xfrm_refused_SOURCES = t/unit/xfrm_refused.c t/unit/xfrm_world.h t/tap.h
t_unit_xfrm_refused_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
t_unit_xfrm_refused_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=netlink_request
t_unit_xfrm_refused_LDADD = $(XFRM_LIBS) $(EV_LIBS)

FUZZ_TARGETS += t/fuzz/fuzz_netlink
t_fuzz_fuzz_netlink_SOURCES = t/fuzz/fuzz_netlink.c
t_fuzz_fuzz_netlink_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_netlink_LDADD = $(XFRM_LIBS)
UNIT_TESTS += t/fuzz/replay_netlink
t_fuzz_replay_netlink_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_netlink.c t/tap.h
t_fuzz_replay_netlink_LDADD = $(XFRM_LIBS)
EXTRA_DIST += t/fuzz/corpus/netlink
