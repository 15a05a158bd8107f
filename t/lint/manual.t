#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages parse without a warning, and each program has one.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Tree;

plan skip_all => 'mandoc is not installed' if system('command -v mandoc >/dev/null 2>&1') != 0;
for my $page (qw(oe.conf.5 oe-resolverd.8 oectl.8)) {
	my $file = root() . "/doc/$page";
	my $said = `mandoc -T lint -W warning '$file' 2>&1`;
	is($said, '', "$page is clean");
}
done_testing();
