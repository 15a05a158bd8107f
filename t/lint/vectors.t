#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# t/unit/ike_vectors.h is what t/unit/ike_vectors.py prints: nobody has fitted it to the engine.
use strict;
use warnings;
use FindBin;
use Test::More;

my $unit = "$FindBin::Bin/../unit";
plan skip_all => 'no python3' if system('python3 -c "" 2>/dev/null') != 0;
my $made = qx(python3 -B $unit/ike_vectors.py);
open(my $file, '<', "$unit/ike_vectors.h") or die "ike_vectors.h: $!";
my $kept = do { local $/; <$file> };
ok($made ne '' && $made eq $kept, 'the vectors are what the script computes');
done_testing();
