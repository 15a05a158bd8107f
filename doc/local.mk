# doc/: manual pages (oe.conf.5 is listed with conf/, whose table it describes), and one for who works on the code.
dist_man_MANS += doc/oe-resolverd.8 doc/oectl.8
EXTRA_DIST += doc/architecture.md
LINT_TESTS += t/lint/manual.t t/lint/documents.t
