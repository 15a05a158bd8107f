# lib/: knows nothing of DNS, IKE or XFRM.
noinst_LIBRARIES += liboe.a
liboe_a_SOURCES = \
	lib/addr.c lib/addr.h \
	lib/hash.c lib/hash.h \
	lib/heap.c lib/heap.h \
	lib/ipsec.c lib/ipsec.h \
	lib/log.c lib/log.h \
	lib/loop.c lib/loop.h \
	lib/mem.c lib/mem.h \
	lib/pktinfo.c lib/pktinfo.h \
	lib/secret.c lib/secret.h \
	lib/store.c lib/store.h \
	lib/strbuf.c lib/strbuf.h \
	lib/wire.c lib/wire.h

UNIT_TESTS += t/unit/lib_addr t/unit/lib_hash t/unit/lib_wire t/unit/lib_store t/unit/lib_loop
t_unit_lib_addr_SOURCES = t/unit/lib_addr.c t/tap.h
t_unit_lib_addr_LDADD = liboe.a
t_unit_lib_hash_SOURCES = t/unit/lib_hash.c t/tap.h
t_unit_lib_hash_LDADD = liboe.a
t_unit_lib_wire_SOURCES = t/unit/lib_wire.c t/tap.h
t_unit_lib_wire_LDADD = liboe.a
t_unit_lib_store_SOURCES = t/unit/lib_store.c t/tap.h
t_unit_lib_store_LDADD = liboe.a
t_unit_lib_loop_SOURCES = t/unit/lib_loop.c t/tap.h
t_unit_lib_loop_LDADD = $(LIB_LIBS)
