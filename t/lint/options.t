#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Every option of conf/keyword.c is in oe.conf(5), in its section, with or without effect as the
# table says; and the manual names no option that the table does not know.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

my $build = $ENV{abs_top_builddir} // '.';
my %table;
for (`$build/t/lint/keywords`) {
	chomp;
	my ($section, $name, $effect) = split /\t/;
	ok(0, "$section $name is in the table twice") if $table{"$section $effect $name"}++;
}
cmp_ok(scalar(keys %table), '>', 100, 'the table was printed');

# Options with effect are items of a list; those without are a paragraph of names.
my (%manual, $section);
my $effect = 'effect';
for (split /\n/, slurp('doc/oe.conf.5')) {
	$effect = 'none' if /^\.Sh OPTIONS WITHOUT EFFECT/;
	$section = undef if /^\.Sh/;
	$section = lc($1) eq 'config setup' ? 'config setup' : 'conn' if /^\.S[hs] (config setup|conn)\b/i;
	next unless defined $section;
	next unless $effect eq 'none' ? /^\.Cm / : /^\.It Cm /;
	$manual{"$section $effect $_"}++ for /\bCm ([a-z][a-z0-9-]*)/g;
}
is_deeply([grep { !$manual{$_} } sort keys %table], [], 'every option is in the manual');
is_deeply([grep { !$table{$_} } sort keys %manual], [], 'the manual names no other');
is_deeply([grep { $manual{$_} > 1 } sort keys %manual], [], 'and none twice');
done_testing();
