#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `oectl import` with PKCS#12 files as openssl makes them: what is written and what is said, and
# that a file which is refused leaves everything as it was.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Program;
use Test::More;

plan skip_all => 'needs openssl' if system('openssl version >/dev/null 2>&1') != 0;

my $pki = "$folder/etc/pki";
my @passphrase = ('--passphrase-file', "$folder/passphrase");

sub put { my ($path, $text) = @_; open(my $out, '>', $path) or die "$path: $!"; print $out $text; close $out or die }

sub openssl {
	my $said = qx(cd '$folder' && openssl @_ 2>&1);
	die "openssl @_: $said" if $? != 0;
	return $said;
}

# NAME.pem and NAME.key, of NAME's own or of another's issuing.
sub certificate {
	my ($name, $issuer, $extensions, @more) = @_;
	put("$folder/$name.ext", "$extensions\n");
	openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr",
		"-subj /C=CH/O=Fleet/CN=$name.example");
	openssl("x509 -req -in $name.csr -extfile $name.ext -out $name.pem", @more ? @more : '-days 30',
		$issuer ? "-CA $issuer.pem -CAkey $issuer.key -CAcreateserial" : "-signkey $name.key");
}

sub bundle { my ($file, @words) = @_; openssl("pkcs12 -export -passout file:passphrase -out $file", @words) }

sub importing { return ('import', "$folder/$_[0]", '--pki-dir', $pki, @_[1 .. $#_]) }

sub mode { my @stat = stat $_[0]; return @stat ? sprintf('%04o', $stat[2] & 07777) : 'none' }

# Everything in pki-dir, with mode and content.
sub everything { return { map { $_ => mode($_) . (-f $_ ? slurp($_) : '') } glob("$pki $pki/* $pki/*/* $pki/*/.[!.]*") } }

sub subjects { return [openssl("crl2pkcs7 -nocrl -certfile '$_[0]' | openssl pkcs7 -print_certs -noout") =~ /^subject=.*CN ?= ?(\S+)/mg] }

put("$folder/passphrase", "correct horse\nsecond line\n");
put("$folder/wrong", "battery staple\n");
put("$folder/nothing", '');
put("$folder/noise.p12", 'noise');
put("$folder/large.p12", 'x' x (1 << 20));
my $ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
my $host = 'keyUsage=digitalSignature';
certificate('root', undef, $ca);
certificate('next', undef, $ca);
certificate('middle', 'root', $ca);
certificate('host', 'root', $host);
certificate('branch', 'middle', $host);
certificate('old', 'root', $host, '-days -1');
certificate('cipher', 'root', 'keyUsage=keyEncipherment');
bundle('host.p12', '-in host.pem -inkey host.key -certfile root.pem -name web');
bundle('nameless.p12', '-in host.pem -inkey host.key');
bundle('slash.p12', '-in host.pem -inkey host.key -name a/b');
bundle('keyless.p12', '-nokeys -in host.pem');
bundle('bare.p12', '-nocerts -inkey host.key');
bundle('old.p12', '-in old.pem -inkey old.key -name web');
bundle('cipher.p12', '-in cipher.pem -inkey cipher.key -name web');
put("$folder/both.pem", slurp("$folder/root.pem") . slurp("$folder/middle.pem"));
put("$folder/roots.pem", slurp("$folder/root.pem") . slurp("$folder/next.pem"));
bundle('roots.p12', '-in host.pem -inkey host.key -certfile roots.pem -name roots');
bundle('branch.p12', '-in branch.pem -inkey branch.key -certfile both.pem -name branch');

# --- refusals ---------------------------------------------------------------------------------
my @refused = (
	['a wrong passphrase', 'host.p12', ['--passphrase-file', "$folder/wrong"],
		qr/host\.p12: the passphrase is wrong, or the file is damaged$/],
	['a passphrase file that is not there', 'host.p12', ['--passphrase-file', "$folder/none"], qr{none: No such file or directory$}],
	['an empty passphrase file', 'host.p12', ['--passphrase-file', "$folder/nothing"], qr{nothing: it is empty$}],
	['a file that is not there', 'none.p12', [@passphrase], qr/none\.p12: No such file or directory$/],
	['what is no PKCS#12', 'noise.p12', [@passphrase], qr/noise\.p12: it is no PKCS#12 file$/],
	['PEM', 'host.pem', [@passphrase], qr/host\.pem: it is no PKCS#12 file$/],
	['an empty file', 'nothing', [@passphrase], qr/nothing: it is no PKCS#12 file$/],
	['a file of a mebibyte', 'large.p12', [@passphrase], qr/large\.p12: it is too large for a PKCS#12 file$/],
	['one without a key', 'keyless.p12', [@passphrase], qr/keyless\.p12: there is no certificate with its private key in it/],
	['one without a certificate', 'bare.p12', [@passphrase], qr/bare\.p12: there is no certificate with its private key in it/],
	['a certificate that has expired', 'old.p12', [@passphrase], qr/old\.p12: the certificate has expired$/],
	['one that may not sign', 'cipher.p12', [@passphrase], qr/cipher\.p12: its key usage does not permit signatures$/],
	['a name of its own with a slash', 'slash.p12', [@passphrase],
		qr{a/b: this name cannot be a file's; give another with --name$}],
);
for my $name ('', '.', '..', '.web', '../web', 'a/b', 'a"b', 'a#b', 'a~', ' a', 'a ', "a\nb", "a\x7fb", 'n' x 101) {
	(my $shown = substr($name, 0, 20)) =~ s/[^ -~]/./;
	push @refused, ["--name '$shown'", 'host.p12', [@passphrase, '--name', $name],
		qr{\Q$name\E: this name cannot be a file's; give another with --name$}];
}

sub refusals {
	my ($when) = @_;
	my $before = everything();
	for (@refused) {
		my ($what, $file, $words, $complaint) = @$_;
		says("$what is refused$when", [importing($file, @$words)], 1, qr/^$/, qr/^oectl: (?:\S*\/)?$complaint/);
		is_deeply(everything(), $before, '  and changes nothing');
	}
}

refusals('');
ok(!-e "$folder/etc", 'not even a folder is made');
says('a word is missing', ['import'], 2, qr/^$/, qr/import: wrong number of words/);

# --- what is written -----------------------------------------------------------------------------
sub imported {
	my ($name, $subject, $intermediates, $cas) = @_;
	my $ca_line = $cas ? qr{CA           \Q$pki\E/cacerts/\Q$name\E\.pem\n} : qr//;
	return qr{^private key  \Q$pki\E/private/\Q$name\E\.pem\ncertificate  \Q$pki\E/certs/\Q$name\E\.pem\n$ca_line}
		. qr{CN=\Q$subject\E,O=Fleet,C=CH \(ECDSA-256\), $intermediates intermediate, $cas CA\nuse it with: leftcert=\Q$name\E\n$};
}

# The configuration takes what import has told to write.
sub serves {
	my ($name) = @_;
	put("$folder/oe.conf", "config setup\n\tpki-dir=$pki\n\tpolicies-dir=$folder/none\n\tsecretsfile=$folder/none\n"
		. "conn private\n\tleft=%defaultroute\n\tright=%opportunisticgroup\n\tauthby=ecdsa\n\tleftcert=$name\n\tauto=ondemand\n");
	says("leftcert=$name serves", ['check', "$folder/oe.conf"], 0, qr/ 0 errors, 0 defects/, qr/^$/);
}

for my $umask (0, 077) {
	my $old = umask $umask;
	my $when = sprintf(' with umask %03o', $umask);
	says("a host's file$when", [importing('host.p12', @passphrase)], 0, imported('web', 'host.example', 0, 1), qr/^$/);
	umask $old;
	is_deeply([map { mode("$pki/$_") } qw(private private/web.pem certs/web.pem cacerts/web.pem)],
		[qw(0700 0600 0644 0644)], "modes$when");
	is_deeply([map { s{.*/}{}r } sort map { glob "$_/* $_/.[!.]*" } glob "$pki/*"], [('web.pem') x 3], 'and no draft');
	serves('web');
	system('rm', '-r', "$folder/etc") if !$umask;
}
is_deeply([map { subjects("$pki/$_/web.pem") } qw(certs cacerts)], [['host.example'], ['root.example']],
	'the certificate and its CA, each in its file');
is(openssl("pkey -in '$pki/private/web.pem' -pubout"), openssl('pkey -in host.key -pubout'), 'the key in its file');
refusals(', beside an earlier one');
chmod 0666, "$pki/private/web.pem";
says('once more', [importing('host.p12', @passphrase)], 0, imported('web', 'host.example', 0, 1), qr/^$/);
is(mode("$pki/private/web.pem"), '0600', 'closes a key that was open');

says('an intermediate', [importing('branch.p12', @passphrase)], 0, imported('branch', 'branch.example', 1, 1), qr/^$/);
is_deeply([map { subjects("$pki/$_/branch.pem") } qw(certs cacerts)],
	[['branch.example', 'middle.example'], ['root.example']], 'stands behind the certificate, and the root apart');
serves('branch');

# --- no room -------------------------------------------------------------------------------------
# A key that fits and a chain that does not; the earlier ones are of another key.
sub without_room {
	my ($what, $limit, $complaint, @words) = @_;
	my $before = everything();
	my $oectl = $Program::program;
	local $Program::program = 'sh';
	says($what, ['-c', "trap '' XFSZ; $limit; exec \"\$@\"", 'sh', $oectl, @words], 1, qr/^$/, $complaint);
	is_deeply(everything(), $before, '  and everything is as it was');
}
without_room('a disk that is full', 'ulimit -f 1', qr{^oectl: \Q$pki\E/certs/web\.pem: File too large$},
	importing('branch.p12', @passphrase, '--name', 'web'));
serves('web');
rename("$pki/certs", "$pki/certs-away");
put("$pki/certs", '');
without_room('a folder that is none', ':', qr{^oectl: \Q$pki\E/certs/web\.pem: Not a directory$},
	importing('branch.p12', @passphrase, '--name', 'web'));
unlink "$pki/certs";
rename("$pki/certs-away", "$pki/certs");

# --- other files ---------------------------------------------------------------------------------
says('a CA that has issued nothing here', [importing('roots.p12', @passphrase)], 0, imported('roots', 'host.example', 0, 2), qr/^$/);
is_deeply([sort @{ subjects("$pki/cacerts/roots.pem") }], ['next.example', 'root.example'], 'is kept with the other');

says("without a name: the subject's", [importing('nameless.p12', @passphrase)], 0, imported('host.example', 'host.example', 0, 0), qr/^$/);
ok(!-e "$pki/cacerts/host.example.pem", 'without a CA there is no file for one');
says('--name', [importing('slash.p12', @passphrase, '--name', 'our own')], 0, imported('our own', 'host.example', 0, 0), qr/^$/);
serves('our own');

open(STDIN, '<', "$folder/passphrase") or die;
says('a passphrase from standard input', [importing('host.p12', '--name', 'piped')], 0,
	imported('piped', 'host.example', 0, 1), qr/^$/);
open(STDIN, '<', "$folder/nothing") or die;
says('none from there', [importing('host.p12')], 1, qr/^$/, qr/^oectl: standard input: there is no passphrase in it$/);
done_testing();
