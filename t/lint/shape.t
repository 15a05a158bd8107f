#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Licence lines, and sizes: a function fits a screen, a file can be read in one go.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

my $longest_function = 70;
my $longest_file = 700;

my (@licence, @long_files, @long_functions, @open_ends);
for my $file (c_files()) {
	my @lines = split /\n/, slurp($file);
	push @licence, $file unless ($lines[0] // '') eq '/* SPDX-License-Identifier: GPL-2.0-or-later */';
	push @long_files, "$file: " . @lines . ' lines' if @lines > $longest_file;
	my ($begin, $name, $previous) = (0, '', '');
	for my $number (1 .. @lines) {
		my $text = $lines[$number - 1];
		push @open_ends, "$file:$number" if $text =~ m{\b(?:TODO|FIXME|XXX)\b};
		if ($text eq '{') { ($begin, $name) = ($number, $previous) }
		if ($text eq '}' && $begin) {
			my $size = $number - $begin;
			push @long_functions, "$file:$begin: $size lines: $name" if $size > $longest_function;
			$begin = 0;
		}
		$previous = $text;
	}
}
is_deeply(\@licence, [], 'every file begins with its licence');
is_deeply(\@long_files, [], "no file is longer than $longest_file lines");
is_deeply(\@long_functions, [], "no function is longer than $longest_function lines");
is_deeply(\@open_ends, [], 'nothing is left for later in a comment');
done_testing();
