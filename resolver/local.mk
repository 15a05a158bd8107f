# resolver/: the stub resolver. upstream.c alone includes libunbound.
noinst_LIBRARIES += libresolver.a
libresolver_a_SOURCES = \
	resolver/batch.c resolver/batch.h \
	resolver/config.h \
	resolver/debug.c resolver/debug.h \
	resolver/event.c \
	resolver/forwarders.c \
	resolver/hold.c resolver/hold.h \
	resolver/listener.c resolver/listener.h \
	resolver/message.c resolver/message.h resolver/records.h \
	resolver/message_build.c \
	resolver/owner.c resolver/owner.h \
	resolver/pair.c resolver/pair.h \
	resolver/query.c resolver/query.h \
	resolver/query_parse.c \
	resolver/resolver.c resolver/resolver.h \
	resolver/upstream.c resolver/upstream.h

FUZZ_TARGETS += t/fuzz/fuzz_dns
t_fuzz_fuzz_dns_SOURCES = t/fuzz/fuzz_dns.c
t_fuzz_fuzz_dns_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
t_fuzz_fuzz_dns_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
UNIT_TESTS += t/fuzz/replay_dns
t_fuzz_replay_dns_SOURCES = t/fuzz/replay.c t/fuzz/fuzz_dns.c t/tap.h
t_fuzz_replay_dns_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
EXTRA_DIST += t/fuzz/corpus/dns

UNIT_TESTS += t/unit/resolver_hold t/unit/resolver_pair t/unit/resolver_forwarders t/unit/resolver_owner t/unit/resolver_message \
	t/unit/resolver_upstream t/unit/resolver_outage t/unit/resolver_life t/unit/resolver_signed \
	t/unit/resolver_debug
t_unit_resolver_hold_SOURCES = t/unit/resolver_hold.c t/tap.h
t_unit_resolver_hold_LDADD = libresolver.a liboe.a
t_unit_resolver_pair_SOURCES = t/unit/resolver_pair.c t/tap.h
t_unit_resolver_pair_LDADD = libresolver.a liboe.a
t_unit_resolver_forwarders_SOURCES = t/unit/resolver_forwarders.c t/tap.h
t_unit_resolver_forwarders_LDADD = libresolver.a liboe.a
t_unit_resolver_owner_SOURCES = t/unit/resolver_owner.c t/tap.h
t_unit_resolver_owner_LDADD = libresolver.a liboe.a
t_unit_resolver_message_SOURCES = t/unit/resolver_message.c t/unit/resolver_packet.h t/tap.h
t_unit_resolver_message_LDADD = libresolver.a liboe.a
# Linked as the daemon is: the test looks whose event_*() libunbound found.
t_unit_resolver_upstream_SOURCES = t/unit/resolver_upstream.c t/unit/resolver_packet.h \
	t/unit/resolver_server.h t/tap.h
t_unit_resolver_upstream_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
t_unit_resolver_outage_SOURCES = t/unit/resolver_outage.c t/unit/resolver_packet.h \
	t/unit/resolver_server.h t/tap.h
t_unit_resolver_outage_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
t_unit_resolver_life_SOURCES = t/unit/resolver_life.c t/unit/resolver_packet.h \
	t/unit/resolver_client.h t/unit/resolver_server.h t/tap.h
t_unit_resolver_life_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
t_unit_resolver_signed_SOURCES = t/unit/resolver_signed.c t/unit/resolver_packet.h \
	t/unit/resolver_client.h t/unit/resolver_server.h t/tap.h
t_unit_resolver_signed_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
t_unit_resolver_debug_SOURCES = t/unit/resolver_debug.c t/unit/resolver_packet.h \
	t/unit/resolver_client.h t/unit/resolver_server.h t/tap.h
t_unit_resolver_debug_LDADD = $(RESOLVER_LIBS) $(EV_LIBS)
