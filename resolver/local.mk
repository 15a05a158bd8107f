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
