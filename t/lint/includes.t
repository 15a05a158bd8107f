#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The include graph is the design's: daemon -> conf -> wings -> lib, no wing knows another, no cycle,
# and each library behind one door.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

my @wings = qw(resolver policy ike xfrm);
my %may = (
	lib => ['lib'],
	(map { $_ => [$_, 'lib'] } @wings),
	conf => ['conf', @wings, 'lib'],
	daemon => ['daemon', 'conf', @wings, 'lib'],
	# oectl checks configurations; its own files and conf are all it needs.
	oectl => ['oectl', 'conf', 'ike', 'policy', 'lib'],
);
my %doors = (
	qr{^ev\.h$} => qr{^lib/loop\.c$},
	qr{^unbound} => qr{^resolver/upstream\.c$},
	qr{^(?:gnutls|nettle|gmp)} => qr{^(?:ike/crypto/|t/pki\.c$|t/fuzz/fuzz_cert\.c$|t/unit/ike_crypto\.c$)},
	qr{^netlink/} => qr{^(?:xfrm/|t/unit/xfrm_refused\.c$)},
	qr{^jansson} => qr{^(?:daemon|oectl|t)/},
	qr{^systemd/} => qr{^daemon/},
);

my (@edges, @leaks, %graph);
for my $file (c_files()) {
	my $from = folder_of($file);
	for (includes($file)) {
		my ($line, $kind, $name) = @$_;
		# Our own folders are seen in angle brackets too.
		if ($kind eq '"' || exists $may{folder_of($name)}) {
			$graph{$file}{$name} = 1;
			next if $from eq 't' || $name eq 'config.h';
			my $to = folder_of($name);
			push @edges, "$file:$line includes $name"
				unless grep { $_ eq $to } @{ $may{$from} };
		} else {
			for my $library (keys %doors) {
				push @leaks, "$file:$line includes <$name>"
					if $name =~ $library && $file !~ $doors{$library};
			}
		}
	}
}
cmp_ok(scalar(keys %graph), '>', 50, 'the tree was found');
is_deeply(\@edges, [], 'no folder includes what it must not know');
is_deeply(\@leaks, [], 'each library has one door');

# A cycle among headers, found by walking down.
my (%state, @cycles);
sub walk {
	my ($file, @path) = @_;
	return if ($state{$file} // '') eq 'done';
	if (($state{$file} // '') eq 'open') {
		push @cycles, join(' -> ', @path, $file);
		return;
	}
	$state{$file} = 'open';
	walk($_, @path, $file) for sort grep { exists $graph{$_} } keys %{ $graph{$file} };
	$state{$file} = 'done';
}
walk($_) for sort keys %graph;
is_deeply(\@cycles, [], 'no cycle of includes');
done_testing();
