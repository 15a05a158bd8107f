# contrib/: systemd units, examples, and a Debian package (contrib/debian/README.Debian).
systemdsystemunit_DATA = contrib/oe-resolverd.service contrib/oe-resolverd-closed.service
EXTRA_DIST += contrib/oe-resolverd.service.in contrib/oe-resolverd-closed.service.in
CLEANFILES += $(systemdsystemunit_DATA)

contrib/%.service: contrib/%.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib && sed 's|@sbindir[@]|$(sbindir)|g' $< > $@

example_files = \
	contrib/examples/client-half/oe.conf \
	contrib/examples/client-half/policies/clear \
	contrib/examples/client-half/policies/private-or-clear \
	contrib/examples/mesh/oe.conf \
	contrib/examples/mesh/policies/clear \
	contrib/examples/mesh/policies/private \
	contrib/examples/null/oe.conf \
	contrib/examples/null/policies/clear \
	contrib/examples/null/policies/private \
	contrib/examples/null/policies/private-or-clear \
	contrib/examples/psk/oe.conf \
	contrib/examples/psk/oe.secrets \
	contrib/examples/psk/policies/clear \
	contrib/examples/psk/policies/private \
	contrib/examples/psk/policies/private-or-clear \
	contrib/examples/server-half/oe.conf \
	contrib/examples/server-half/policies/clear \
	contrib/examples/server-half/policies/clear-or-private
EXTRA_DIST += $(example_files)
nobase_dist_doc_DATA = $(example_files)

EXTRA_DIST += \
	contrib/debian/README.Debian \
	contrib/debian/changelog \
	contrib/debian/control \
	contrib/debian/copyright \
	contrib/debian/etc/oe-resolverd/oe.conf \
	contrib/debian/etc/oe-resolverd/policies/block \
	contrib/debian/etc/oe-resolverd/policies/clear \
	contrib/debian/etc/oe-resolverd/policies/clear-or-private \
	contrib/debian/etc/oe-resolverd/policies/private \
	contrib/debian/etc/oe-resolverd/policies/private-or-clear \
	contrib/debian/oe-resolverd.docs \
	contrib/debian/oe-resolverd.examples \
	contrib/debian/oe-resolverd.install \
	contrib/debian/oe-resolverd.logrotate \
	contrib/debian/oe-resolverd.postrm \
	contrib/debian/oe-resolverd.prerm \
	contrib/debian/rules \
	contrib/debian/source/format
LINT_TESTS += t/lint/packaging.t
