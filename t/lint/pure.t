#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# ike/ and policy/ open no socket, read no clock, draw no randomness, write no log.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

# What the standard library and the crypto libraries give without reaching out; anything else is news.
my $headers = qr{^(?:(?:assert|inttypes|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|limits|
	uthash|utlist|gmp)\.h|gnutls/[\w-]+\.h|nettle/[\w-]+\.h)$}x;
my $calls = qr{\b(?:socket|connect|sendto|recvfrom|clock_gettime|gettimeofday|time|getrandom|random|rand|
	open|fopen|getenv|system|printf|fprintf|syslog|log_\w+|gnutls_rnd|gnutls_time)\s*\(}x;

my (@bad, $count);
for my $file (c_files('ike', 'policy')) {
	$count++;
	for (includes($file)) {
		my ($line, $kind, $name) = @$_;
		push @bad, "$file:$line includes $name" if $kind eq '<' ? $name !~ $headers : $name =~ m{^lib/(?:log|loop|pktinfo)\.h$};
	}
	my $text = slurp($file);
	$text =~ s{/\*.*?\*/}{ (my $kept = $&) =~ tr/\n//cd; $kept }gse;
	$text =~ s{"(?:\\.|[^"\\\n])*"}{""}g;
	my $line = 0;
	for (split /\n/, $text) {
		$line++;
		# A member of that name is somebody else's function, handed in.
		push @bad, "$file:$line calls $&" if /(?<![>.\w])$calls/ && !/^\s*#/;
	}
}
cmp_ok($count, '>', 30, 'the pure folders were found');
is_deeply(\@bad, [], 'nothing in them reaches out');
done_testing();
