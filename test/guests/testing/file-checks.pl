# What Linux says of files, a line for each subject: open(2), what is open and has no name, rename(2), holes, times, owners, extended attributes and locks.
# Runs in an empty folder, and says the same on each file system that has all of them.
use strict;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use Time::HiRes ();

# Numbers of system calls (arch/x86/entry/syscalls/syscall_64.tbl), and flags that Fcntl has not.
my %call = (setxattr => 188, getxattr => 191, listxattr => 194, removexattr => 197, linkat => 265, renameat2 => 316);
my ($AT_FDCWD, $AT_SYMLINK_FOLLOW, $RENAME_NOREPLACE, $RENAME_EXCHANGE) = (-100, 0x400, 1, 2);
my ($XATTR_CREATE, $XATTR_REPLACE, $SEEK_DATA, $SEEK_HOLE) = (1, 2, 3, 4);
my ($O_DIRECTORY, $O_NOFOLLOW, $O_TMPFILE) = (0200000, 0400000, 020200000);

sub says { my $what = shift; print "$what: @_\n" }
sub error { for my $name (sort keys %!) { return $name if $!{$name} } return $! + 0 }
sub done { $_[0] ? 'ok' : error() }
sub called { my $result = syscall($call{+shift}, @_); return $result < 0 ? error() : $result }
sub opened { my ($path, $flags) = @_; my $file; return sysopen($file, $path, $flags, 0644) ? $file : error() }
sub told { return ref $_[0] ? 'ok' : $_[0] }
sub write_file { my ($path, $text) = @_; my $file = opened($path, O_WRONLY | O_CREAT); syswrite $file, $text }
sub content { my $file = opened($_[0], O_RDONLY); return $file if !ref $file; sysread $file, my $text, 4096; return $text }
sub of { my ($file) = @_; return '/proc/self/fd/' . fileno $file }
sub mode { return sprintf '%o', (stat $_[0])[2] & 07777 }
sub links { return (stat $_[0])[3] }

sub opening {
	says 'made', told(opened('f', O_RDWR | O_CREAT | O_EXCL)), told(opened('f', O_RDWR | O_CREAT | O_EXCL));
	mkdir 'd';
	symlink 'f', 'l';
	symlink 'x', 'x';
	says 'open', map { told(opened(@$_)) } ['l', O_RDONLY | $O_NOFOLLOW], ['f', O_RDONLY | $O_DIRECTORY], ['d', O_WRONLY],
		['x', O_RDONLY], ['none', O_RDONLY], ['f/g', O_RDONLY], ['l', O_WRONLY | O_CREAT | O_EXCL];
	my $file = opened('f', O_WRONLY);
	syswrite $file, 'one';
	my $log = opened('f', O_WRONLY | O_APPEND);
	sysseek $log, 0, 0;
	syswrite $log, ' two';
	says 'appended', content('f');
	opened('f', O_WRONLY | O_TRUNC);
	says 'cut', -s 'f';
	says 'access', done(syswrite(opened('f', O_RDONLY), 'x')), done(sysread($file, my $text, 1));
}

sub unnamed {
	my $file = opened('gone', O_RDWR | O_CREAT);
	syswrite $file, 'still';
	unlink 'gone';
	says 'unnamed', content(of($file)), links($file), -e 'gone' ? 'there' : 'gone';
	my $again = opened(of($file), O_WRONLY | O_APPEND);
	says 'opened again', told($again), syswrite($again, ' there'), content(of($file));
	says 'changed', done(chmod(0600, $file)), mode($file), done(truncate($file, 2)), content(of($file)), done(utime(5, 6, $file)), (stat $file)[9];
	my $new = opened('.', O_RDWR | $O_TMPFILE);
	says 'without a name', told($new), syswrite($new, 'text');
	my ($old, $name) = (of($new), 'named');
	says 'named', called('linkat', $AT_FDCWD, $old, $AT_FDCWD, $name, $AT_SYMLINK_FOLLOW), content('named'), links('named');
	write_file('old', 'old');
	write_file('new', 'new');
	my $kept = opened('new', O_RDONLY);
	says 'renamed', done(rename('old', 'new')), content('new'), scalar <$kept>, links($kept);
}

sub renaming {
	my ($a, $b, $c) = ('a', 'b', 'c');
	write_file($_, $_) for $a, $b;
	my $rename = sub { my ($old, $new, $flags) = @_; called('renameat2', $AT_FDCWD, $old, $AT_FDCWD, $new, $flags) };
	says 'not over', $rename->($a, $b, $RENAME_NOREPLACE), $rename->($a, $c, $RENAME_NOREPLACE);
	says 'swapped', $rename->($b, $c, $RENAME_EXCHANGE), content($b), content($c), $rename->($b, $a, $RENAME_EXCHANGE);
	mkdir 'd/e';
	says 'directories', done(rename('d', 'd/e/f')), done(rename('b', 'd')), done(rename('d', 'b')), done(link('d', 'dd')), links('d');
	says 'links', done(link('b', 'b2')), links('b'), done(rename('b', 'b2')), links('b'), done(link('b', 'b2'));
}

sub holes {
	my $file = opened('holes', O_RDWR | O_CREAT);
	sysseek $file, 1 << 20, 0;
	syswrite $file, 'end';
	says 'holes', -s $file, (stat $file)[12] < 100 ? 'few' : 'many', sysseek($file, 0, $SEEK_DATA), sysseek($file, 1 << 20, $SEEK_HOLE),
		done(sysseek($file, 1 << 21, $SEEK_DATA));
	says 'lengths', done(truncate($file, 5e9)), -s $file, done(truncate($file, 10)), content('holes') eq "\0" x 10 ? 'zeros' : 'else';
}

sub attributes {
	my $time = 1234567890.5;
	says 'times', done(Time::HiRes::utime($time, $time + 0.25, 'f')), map { sprintf '%.2f', $_ } (Time::HiRes::stat('f'))[8, 9];
	says 'long ago', done(utime(-5, -7, 'f')), (stat 'f')[8, 9];
	says 'far', done(utime(0, 4102444800, 'f')), (stat 'f')[9];
	says 'modes', (map { chmod $_, 'f'; mode('f') } 0, 0644, 01777), done(chmod(0700, 'none'));
	says 'owners', map { (done(chown(@$_, 'f')), join ':', (stat 'f')[4, 5]) } [1000, 100], [0, -1];
}

sub extended {
	my ($f, $l) = ('f', "\0" x 256);
	my $set = sub { my ($name, $value, $flags) = @_; called('setxattr', $f, $name, $value, length $value, $flags // 0) };
	my $get = sub {
		my ($name, $room) = @_;
		my $value = "\0" x ($room || 1);
		my $length = called('getxattr', $f, $name, $value, $room);
		return $length =~ /^\d+$/ && $room ? substr $value, 0, $length : $length;
	};
	my ($one, $two, $big) = ('user.one', 'user.two', 'x' x 2000);
	says 'set', $set->($one, 'value'), $get->($one, 64), $get->($one, 0), $get->($one, 2), $get->($two, 64);
	says 'how', $set->($one, 'x', $XATTR_CREATE), $set->($two, 'x', $XATTR_REPLACE), $set->($one, 'changed', $XATTR_REPLACE), $get->($one, 64);
	says 'empty', $set->($two, '', $XATTR_CREATE), '<' . $get->($two, 64) . '>';
	my $length = called('listxattr', $f, $l, 256);
	says 'list', sort grep { /^user/ } split /\0/, substr $l, 0, $length;
	says 'remove', called('removexattr', $f, $one), called('removexattr', $f, $one);
	says 'big', $set->('user.big', $big), $get->('user.big', 4096) eq $big ? 'same' : 'else';
}

sub locks {
	my ($one, $two) = map { opened('f', O_RDWR) } 1, 2;
	my @steps = ([$one, LOCK_EX], [$two, LOCK_EX], [$one, LOCK_SH], [$two, LOCK_SH], [$two, LOCK_UN], [$one, LOCK_UN], [$two, LOCK_EX]);
	says 'whole', map { done(flock($_->[0], $_->[1] | LOCK_NB)) } @steps;
	my $range = sub { my ($type, $start, $length) = @_; pack 's s x4 q q l x4', $type, 0, $start, $length, 0 };
	says 'range', done(fcntl($one, F_SETLK, $range->(F_WRLCK, 10, 10)));
	pipe my $from, my $to;
	if (fork == 0) {
		my ($file, $found) = (opened('f', O_RDWR), $range->(F_WRLCK, 0, 0));
		fcntl $file, F_GETLK, $found;
		my @taken = map { done(fcntl($file, F_SETLK, $range->(@$_))) } [F_WRLCK, 0, 10], [F_RDLCK, 15, 1], [F_WRLCK, 20, 5];
		syswrite $to, join ' ', @taken, (unpack 's s x4 q q l', $found)[0, 2, 3];
		exit 0;
	}
	close $to;
	says 'of another program', scalar <$from>;
}

$_->() for \&opening, \&unnamed, \&renaming, \&holes, \&attributes, \&extended, \&locks;
