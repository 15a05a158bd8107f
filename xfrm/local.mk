# xfrm/: the data plane interface and its implementation in the kernel.
noinst_LIBRARIES += libxfrm.a
libxfrm_a_SOURCES = \
	xfrm/dataplane.c xfrm/dataplane.h \
	xfrm/decode.c xfrm/decode.h \
	xfrm/desired.c \
	xfrm/encode.c xfrm/encode.h \
	xfrm/entry.c xfrm/entry.h \
	xfrm/flow.c \
	xfrm/mirror.c \
	xfrm/netlink.c xfrm/netlink.h \
	xfrm/plane.h \
	xfrm/state.c
libxfrm_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
