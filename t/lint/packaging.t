#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# contrib/debian says what the rest of the tree says: the version, what building needs, every file in
# the tarball. And what the package puts on a host is as harmless as its README tells.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Find;
use Test::More;
use Tree;

my ($version) = slurp('configure.ac') =~ /AC_INIT\(\[[^\]]*\], \[([^\]]*)\]/;
my ($packaged) = slurp('contrib/debian/changelog') =~ /\A\S+ \(([^)]*)\)/;
is($packaged, $version, 'the package has the version of configure.ac');

my ($build) = slurp('packages.list') =~ /^# Build\n(.*?)\n\n/ms;
# What every Debian build has (build-essential, debhelper).
my %given = map { $_ => 1 } qw(gcc libc6-dev make autoconf automake);
my ($depends) = slurp('contrib/debian/control') =~ /^Build-Depends:(.*?)^\S/ms;
is_deeply([grep { !$given{$_} && $depends !~ /^ \Q$_\E\b/m } split /\n/, $build], [],
	'its build dependencies are those of packages.list');

my @files;
find({ no_chdir => 1, wanted => sub { push @files, substr($_, length(root()) + 1) if -f } },
	root() . '/contrib');
my $makefile = slurp('contrib/local.mk');
is_deeply([grep { !/\blocal\.mk$/ && $makefile !~ /^\t?.*\Q$_\E(?:\s|$)/m } sort @files], [],
	'every file of contrib/ is in the tarball');

my @active = grep { !/^#/ } map { split /\n/, slurp($_) } grep { m{/debian/etc/.*/policies/} } @files;
is_deeply(\@active, [], 'as installed, nobody is in a group');
for my $unit (slurp('contrib/debian/rules') =~ /^\tdh_installsystemd (.*)/mg) {
	like($unit, qr/^--no-enable --no-start /, "neither started nor enabled: $unit");
}
done_testing();
