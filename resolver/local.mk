# resolver/: the stub resolver. upstream.c alone includes libunbound, message.c alone ldns.
noinst_LIBRARIES += libresolver.a
libresolver_a_SOURCES = \
	resolver/config.h \
	resolver/forwarders.c \
	resolver/hold.c resolver/hold.h \
	resolver/listener.c resolver/listener.h \
	resolver/message.c resolver/message.h \
	resolver/owner.c resolver/owner.h \
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
