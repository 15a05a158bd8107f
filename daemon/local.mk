# daemon/: oe-resolverd, the only place where the wings meet.
sbin_PROGRAMS += oe-resolverd
oe_resolverd_SOURCES = \
	daemon/addrs.c daemon/addrs.h \
	daemon/bonds.c daemon/bonds.h \
	daemon/bonds_file.c daemon/bonds_file.h \
	daemon/commands.c \
	daemon/control.c daemon/control.h \
	daemon/daemon.c daemon/daemon.h \
	daemon/debug.c daemon/debug.h \
	daemon/foreign.c daemon/foreign.h \
	daemon/forwarders.c daemon/forwarders.h \
	daemon/gate.c daemon/gate.h \
	daemon/grant.c daemon/grant.h \
	daemon/idle.c daemon/idle.h \
	daemon/jobs.c daemon/jobs.h \
	daemon/joins.c daemon/joins.h \
	daemon/keep.c daemon/keep.h \
	daemon/keylog.c daemon/keylog.h \
	daemon/lines.c daemon/lines.h \
	daemon/load.c daemon/load.h \
	daemon/lookup.c daemon/lookup.h \
	daemon/main.c \
	daemon/modes.c daemon/modes.h \
	daemon/options.c daemon/options.h \
	daemon/privileges.c daemon/privileges.h \
	daemon/random.c daemon/random.h \
	daemon/rates.c daemon/rates.h \
	daemon/refusals.c daemon/refusals.h \
	daemon/report.c daemon/report.h \
	daemon/resume.c daemon/resume.h \
	daemon/starts.c daemon/starts.h \
	daemon/tell.c daemon/tell.h \
	daemon/trace.c daemon/trace.h \
	daemon/trigger.c daemon/trigger.h daemon/trigger_state.h \
	daemon/tunnels.c daemon/tunnels.h \
	daemon/udp.c daemon/udp.h \
	daemon/verify.c daemon/verify.h \
	daemon/watch.c daemon/watch.h
oe_resolverd_LDADD = libconf.a libresolver.a libike.a libpolicy.a libxfrm.a liboe.a \
	$(UNBOUND_LIBS) $(GNUTLS_LIBS) $(NETTLE_LIBS) $(GMP_LIBS) $(NL_LIBS) \
	$(SYSTEMD_LIBS) $(JANSSON_LIBS) $(CAPNG_LIBS) $(EV_LIBS)

UNIT_TESTS += t/unit/daemon_bonds
t_unit_daemon_bonds_SOURCES = t/unit/daemon_bonds.c daemon/bonds.c daemon/bonds.h \
	daemon/bonds_file.c daemon/bonds_file.h daemon/keep.c daemon/keep.h t/pki.c t/pki.h t/tap.h
t_unit_daemon_bonds_LDADD = $(IKE_LIBS)

UNIT_TESTS += t/unit/daemon_jobs
t_unit_daemon_jobs_SOURCES = t/unit/daemon_jobs.c daemon/jobs.c daemon/jobs.h t/tap.h
t_unit_daemon_jobs_LDADD = $(LIB_LIBS)

UNIT_TESTS += t/unit/daemon_joins
t_unit_daemon_joins_SOURCES = t/unit/daemon_joins.c daemon/joins.c daemon/joins.h \
	daemon/jobs.c daemon/jobs.h daemon/keep.c daemon/keep.h t/tap.h
t_unit_daemon_joins_LDADD = libpolicy.a $(LIB_LIBS)

UNIT_TESTS += t/unit/daemon_keylog
t_unit_daemon_keylog_SOURCES = t/unit/daemon_keylog.c daemon/keylog.c daemon/keylog.h t/tap.h
t_unit_daemon_keylog_LDADD = liboe.a

UNIT_TESTS += t/unit/daemon_rates
t_unit_daemon_rates_SOURCES = t/unit/daemon_rates.c daemon/rates.c daemon/rates.h t/tap.h
t_unit_daemon_rates_LDADD = liboe.a

UNIT_TESTS += t/unit/daemon_tunnels
t_unit_daemon_tunnels_SOURCES = t/unit/daemon_tunnels.c daemon/tunnels.c daemon/tunnels.h t/tap.h
t_unit_daemon_tunnels_LDADD = liboe.a

UNIT_TESTS += t/unit/daemon_starts
t_unit_daemon_starts_SOURCES = t/unit/daemon_starts.c daemon/starts.c daemon/starts.h \
	daemon/rates.c daemon/rates.h t/tap.h
t_unit_daemon_starts_LDADD = liboe.a
