# bench/: what things cost, beside what they are compared with; `make bench`.
BENCHES = bench/handshake
EXTRA_PROGRAMS += $(BENCHES)
CLEANFILES += $(BENCHES)
bench_handshake_SOURCES = bench/handshake.c t/pki.c t/pki.h
bench_handshake_LDADD = $(IKE_LIBS)

bench: $(BENCHES)
	@for program in $(BENCHES); do echo "$$program:"; ./$$program || exit 1; done

.PHONY: bench
