#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What the documents for those who work on the code name is there: each file or folder, and each
# `function()`. A page that tells of a function that was renamed sends its reader nowhere.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Find;
use Test::More;
use Tree;

my $code = join '', map { slurp($_) } c_files();
find({ no_chdir => 1, wanted => sub {
	$code .= slurp(substr($_, length(root()) + 1)) if /\.(?:py|t)$/ && -f;
} }, root() . '/t/lab');

# Of "`a/b.c`, `c.c`" the second is a path only where it has a folder; a name alone is any file's.
my %files;
find({ no_chdir => 1, wanted => sub { $files{ (split m{/})[-1] } = 1 } },
	map { root() . "/$_" } qw(lib resolver policy ike xfrm conf daemon oectl doc contrib bench t));

for my $document (qw(doc/architecture.md HACKING.md)) {
	my (@missing, $named);
	for my $word (slurp($document) =~ /`([^`\n]+)`/g) {
		$named++;
		if ($word =~ /^(?:\w+\.)*(\w+)\(\)$/) {
			push @missing, $word unless $code =~ /\b$1\(/;
		} elsif ($word =~ m{^[\w.-]+/[\w./-]*$} && $word !~ m{\b[A-Z]{3,}/?}) {
			push @missing, $word unless -e root() . "/$word";
		} elsif ($word =~ /^[\w-]+\.(?:c|h|t|py|md)$/) {
			push @missing, $word unless $files{$word} || -e root() . "/$word";
		}
	}
	cmp_ok($named, '>', 10, "$document was read");
	is_deeply(\@missing, [], "what $document names is there");
}
done_testing();
