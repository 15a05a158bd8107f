# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of the programs: starts one as a user does, and looks at what it says.
package Program;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Temp qw(tempdir);
use Test::More;

our @EXPORT = qw(built slurp run says $folder);
our $program = built('oectl/oectl');
our $folder = tempdir(CLEANUP => 1);
$ENV{OUT} = "$folder/out";
$ENV{ERR} = "$folder/err";

sub built { return abs_path(($ENV{abs_top_builddir} // '.') . "/$_[0]") }

# Of a file: /dev/full would be read without end.
sub slurp { -f $_[0] && open(my $in, '<', $_[0]) or return ''; local $/; return scalar(<$in>) // '' }

# Status, what it printed, what it complained of.
sub run {
	my (@words) = @_;
	my $status = system('sh', '-c', 'exec "$0" "$@" >"$OUT" 2>"$ERR"', $program, @words);
	return ($status >> 8, slurp($ENV{OUT}), slurp($ENV{ERR}));
}

sub says {
	my ($what, $words, $wanted, $out, $err) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @got = run(@$words);
	ok($got[0] == $wanted && $got[1] =~ $out && $got[2] =~ $err, $what)
		or diag("status $got[0], printed '$got[1]', complained '$got[2]'");
}
1;
