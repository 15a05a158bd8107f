# doc/: manual pages (oe.conf.5 is listed with conf/, whose table it describes).
dist_man_MANS += doc/oe-resolverd.8 doc/oectl.8
LINT_TESTS += t/lint/manual.t
