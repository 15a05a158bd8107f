# bench/: what things cost, beside what they are compared with; `make bench`.
BENCHES = bench/handshake bench/scale bench/traps
EXTRA_PROGRAMS += $(BENCHES) bench/initiate bench/ask bench/echo
CLEANFILES += $(BENCHES) bench/initiate bench/ask bench/echo
EXTRA_DIST += bench/load.py bench/box.py bench/dns.py bench/beside.py
bench_handshake_SOURCES = bench/handshake.c t/pki.c t/pki.h
bench_handshake_LDADD = $(IKE_LIBS)
bench_scale_SOURCES = bench/scale.c
bench_scale_LDADD = $(CONF_LIBS)
bench_traps_SOURCES = bench/traps.c t/unit/xfrm_world.h t/tap.h
bench_traps_LDADD = $(XFRM_LIBS) $(EV_LIBS)
bench_initiate_SOURCES = bench/initiate.c t/initiator.c t/initiator.h
bench_initiate_LDADD = $(IKE_LIBS)
bench_ask_SOURCES = bench/ask.c
bench_echo_SOURCES = bench/echo.c

# Other resolvers, unpacked and never installed; what cannot be had is left out of the comparison.
bench/resolvers:
	@mkdir -p $@.new && cd $@.new && { apt-get -q download unbound dnsmasq-base >/dev/null || \
		echo "no unbound or dnsmasq to compare with"; }
	@cd $@.new && for deb in *.deb; do [ ! -e $$deb ] || dpkg -x $$deb .; done
	@mv $@.new $@

bench: all $(BENCHES) t/sim/flood bench/initiate bench/ask bench/echo bench/resolvers
	@for program in $(BENCHES); do echo "$$program:"; ./$$program || exit 1; done
	@echo "t/sim/flood, a million strangers:"; ./t/sim/flood 1000000
	@echo "bench/load:"; abs_top_builddir=$(abs_top_builddir) \
		$(srcdir)/t/lab/run --no-esp --limit 600 $(srcdir)/bench/load.py
	@echo "bench/dns:"; abs_top_builddir=$(abs_top_builddir) \
		$(srcdir)/t/lab/run --no-esp --limit 600 $(srcdir)/bench/dns.py
	@echo "bench/beside:"; abs_top_builddir=$(abs_top_builddir) \
		$(srcdir)/t/lab/run --no-esp --limit 600 $(srcdir)/bench/beside.py

clean-local: clean-bench
clean-bench:
	rm -rf bench/resolvers bench/resolvers.new
.PHONY: clean-bench

.PHONY: bench
