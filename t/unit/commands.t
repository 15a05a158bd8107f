#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The programs as a user and a script meet them: usage, and oectl without a daemon, beside one that
# hangs or talks nonsense, with a socket that is another's, a full disk. The rest is in t/lab.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::UNIX;
use JSON::PP;
use Program;
use Socket qw(PF_UNIX SOCK_NONBLOCK SOCK_STREAM pack_sockaddr_un);
use Test::More;

my ($oectl, $daemon) = (built('oectl/oectl'), built('oe-resolverd'));
my $socket = "$folder/control.sock";

# A daemon that answers its first client with these bytes, and goes.
sub beside {
	my ($answer, $test) = @_;
	unlink $socket;
	my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $socket, Listen => 1) or die "listen: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid) {
		my $client = $listener->accept;
		<$client>;
		print $client $answer;
		close $client;
		exec 'true';
	}
	$test->();
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

# --- usage ----------------------------------------------------------------------------------------
says('without a command', [], 2, qr/^$/, qr/no command.*^usage: oectl/ms);
says('a command that is none', ['stauts'], 2, qr/^$/, qr/unknown command 'stauts'/);
says('an option that is none', ['status', '--jsno'], 2, qr/^$/, qr/jsno.*usage/s);
says('a word too many', ['status', 'now'], 2, qr/^$/, qr/status: wrong number of words/);
says('a word too few', ['down'], 2, qr/^$/, qr/down: wrong number of words/);
says('a limit that is none', ['--timeout', '1h', 'status'], 2, qr/^$/, qr/timeout.*usage/s);
says('--help', ['--help'], 0, qr/^usage: oectl.*status.*peers.*trace.*check.*import.*reload.*down.*flush/s, qr/^$/);
says('--version', ['--version'], 0, qr/^oectl \d/, qr/^$/);

# --- no daemon --------------------------------------------------------------------------------------
for (['status'], ['peers', '--json'], ['trace', 'a.example'], ['reload'], ['down', '192.0.2.1'], ['flush']) {
	says("@$_ without a daemon", ['-s', $socket, @$_], 1, qr/^$/, qr/^oectl: oe-resolverd is not running.*\Q$socket\E/);
}
says('version without a daemon', ['-s', $socket, 'version'], 1, qr/^oectl \d\S+\n$/, qr/not running/);
says('a path that no socket can have', ['-s', 'x' x 200, 'status'], 1, qr/^$/, qr/File name too long/);

# --- a daemon that hangs ------------------------------------------------------------------------------
{
	my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $socket, Listen => 1) or die "listen: $!";
	says('who does not answer is given up', ['-s', $socket, '--timeout', '1', 'status'], 1, qr/^$/, qr/no answer within 1 s/);
	my @waiting;
	while (@waiting < 100) {
		socket(my $more, PF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) or die "socket: $!";
		connect($more, pack_sockaddr_un($socket)) or last;
		push @waiting, $more;
	}
	cmp_ok(scalar @waiting, '<', 100, 'its queue is full');
	says('who does not even accept, too', ['-s', $socket, '--timeout', '1', 'status'], 1, qr/^$/, qr/no answer within 1 s/);
}

# --- a daemon that talks nonsense ---------------------------------------------------------------------
for my $answer ('', "\n", "nonsense\n", '{"ok":true', "[]\n", "{}\n", "\xff\xfe\n", "7\n") {
	(my $shown = $answer) =~ s/[^ -~]/./g;
	beside($answer, sub {
		says("an answer '$shown' is none", ['-s', $socket, '--timeout', '20', 'status'], 1, qr/^$/, qr/^oectl: \S/);
	});
}
beside(qq({"ok":false,"error":"no","messages":["oe.conf:1: one","oe.conf:2: two"]}\n), sub {
	says('what is wrong with the files is told', ['-s', $socket, 'reload'], 1, qr/^$/,
		qr/^oe.conf:1: one\noe.conf:2: two\noectl: no\n$/);
});

# --- results --------------------------------------------------------------------------------------------
for my $command ('status', 'peers', 'reload', 'flush', 'version') {
	beside(qq({"ok":true,"result":{"a":["\xc3\xa9"]}}\n), sub {
		my ($status, $out) = run('-s', $socket, $command, '--json');
		my $json = eval { JSON::PP->new->utf8->decode($out) };
		ok($status == 0 && $json && $json->{a}[0] eq "\xe9", "$command --json prints what the daemon said, and nothing else")
			or diag($out);
	});
}
SKIP: {
	skip 'no /dev/full', 1 unless -c '/dev/full';
	local $ENV{OUT} = '/dev/full';
	says('what cannot be printed is no success', ['--help'], 1, qr//, qr/No space left/);
}
SKIP: {
	skip 'needs root and setpriv', 1 if $> != 0 || system('setpriv --version >/dev/null 2>&1') != 0;
	my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$folder/ours.sock", Listen => 1) or die "listen: $!";
	chmod 0660, "$folder/ours.sock";
	chmod 0755, $folder;
	my $said = qx(setpriv --reuid 65534 --regid 65534 --clear-groups "$oectl" -s "$folder/ours.sock" status 2>&1);
	# A build folder that others may not enter says no by itself.
	like($said, qr/permission denied; try it as root|cannot execute|Permission denied/i, "another user's socket");
}

# --- oe-resolverd -------------------------------------------------------------------------------------------
{
	local $Program::program = $daemon;
	says('oe-resolverd --help', ['--help'], 0, qr/^usage: oe-resolverd.*--closed.*--release.*--flush/s, qr/^$/);
	says('oe-resolverd -V', ['-V'], 0, qr/^oe-resolverd \d+\.\d+\.\d+\n$/, qr/^$/);
	says('two runs at once', ['-n', '--flush'], 2, qr/^$/, qr/only one of -n.*usage/s);
	says('a word', ['start'], 2, qr/^$/, qr/unexpected argument 'start'.*usage/s);
	says('files that are not there', ['-n', '-c', "$folder/none"], 1, qr/^$/, qr{cannot read \S+/none: No such file});
}
SKIP: {
	my @nobody = ('setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs');
	skip 'needs root and setpriv', 4 if $> != 0 || system(@nobody, 'true') != 0;
	local $Program::program = $nobody[0];
	for my $run ([], ['--closed'], ['--release'], ['--flush']) {
		says("oe-resolverd @$run without CAP_NET_ADMIN", [@nobody[1 .. $#nobody], $daemon, '-c', "$folder/none", @$run],
			1, qr/^$/, qr/^oe-resolverd: this needs root \(CAP_NET_ADMIN\)\n$/);
	}
}

# --- check ------------------------------------------------------------------------------------------------
open(my $conf, '>', "$folder/oe.conf") or die;
print $conf "config setup\n\tpolicies-dir=$folder/none\n\tsecretsfile=$folder/none\n\tprotostack=netkey\n\tlefft=1\n";
close $conf;
says('check tells all', ['check', "$folder/oe.conf"], 1,
	qr{^warning: \S+:4: option 'protostack'.*^\S+oe.conf:5: unknown option 'lefft'.*1 errors, 0 defects, 1 warnings\n}ms, qr/^$/);
{
	my ($status, $out) = run('check', "$folder/oe.conf", '--json');
	my $json = eval { JSON::PP->new->utf8->decode($out) } // {};
	is($status, 1, 'check --json fails alike');
	is_deeply([@$json{qw(file errors defects warnings)}], ["$folder/oe.conf", 1, 0, 1], 'and counts alike');
	my ($error) = grep { $_->{severity} eq 'error' } @{ $json->{messages} // [] };
	is_deeply([@{ $error // {} }{qw(file line)}], ["$folder/oe.conf", 5], 'each message with its place');
	like($error->{text} // '', qr/^unknown option 'lefft'/, 'and its text');
}
done_testing();
