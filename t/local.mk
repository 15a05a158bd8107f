# t/: what belongs to no folder: lint of the whole tree.
LINT_TESTS += t/lint/includes.t t/lint/pure.t t/lint/shape.t
EXTRA_DIST += t/lint/Tree.pm

# The fuzzers' runner, dictionaries, and what makes seeds of captures; the corpora are with their folders.
EXTRA_DIST += t/fuzz/run t/fuzz/seeds t/fuzz/dict
