# bench/: what things cost, beside what they are compared with; `make bench`.
BENCHES = bench/handshake
EXTRA_PROGRAMS += $(BENCHES) bench/initiate
CLEANFILES += $(BENCHES) bench/initiate
EXTRA_DIST += bench/load.py
bench_handshake_SOURCES = bench/handshake.c t/pki.c t/pki.h
bench_handshake_LDADD = $(IKE_LIBS)
bench_initiate_SOURCES = bench/initiate.c
bench_initiate_LDADD = $(IKE_LIBS)

bench: all $(BENCHES) bench/initiate
	@for program in $(BENCHES); do echo "$$program:"; ./$$program || exit 1; done
	@echo "bench/load:"; abs_top_builddir=$(abs_top_builddir) \
		$(srcdir)/t/lab/run --no-esp --limit 600 $(srcdir)/bench/load.py

.PHONY: bench
