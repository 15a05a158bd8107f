# SPDX-License-Identifier: GPL-2.0-or-later
# The source tree for lint tests: which C files there are, and what they include.
package Tree;
use strict;
use warnings;
use File::Find;
use Exporter 'import';
our @EXPORT = qw(root c_files slurp includes folder_of);

my @folders = qw(lib resolver policy ike xfrm conf daemon oectl t);

sub root { return $ENV{abs_top_srcdir} // '.' }

# Paths of .c and .h files below the root, sorted; `only` are top-level folders.
sub c_files {
	my @only = @_ ? @_ : @folders;
	my @found;
	for my $folder (@only) {
		my $path = root() . "/$folder";
		next unless -d $path;
		find({ no_chdir => 1, wanted => sub { push @found, $_ if /\.[ch]$/ && -f } }, $path);
	}
	s{^\Q@{[root()]}\E/}{} for @found;
	return sort @found;
}

sub slurp {
	my ($file) = @_;
	open(my $in, '<', root() . "/$file") or die "$file: $!";
	local $/;
	return scalar <$in>;
}

# [line, kind ('"' or '<'), name] for each include of a file.
sub includes {
	my ($file) = @_;
	my ($line, @found) = (0);
	for (split /\n/, slurp($file)) {
		$line++;
		push @found, [$line, $1, $2] if /^\s*#\s*include\s+(["<])([^">]+)[">]/;
	}
	return @found;
}

sub folder_of { my ($file) = @_; return (split m{/}, $file)[0] }

1;
