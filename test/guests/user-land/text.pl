# Regular expressions, formats, sorting and packing: a line name=value each, for the test to compare.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use List::Util qw(sum reduce);
use Math::BigInt;

open(my $file, '<', 'data') or die;
chomp(my @lines = <$file>);
sub say { print shift, '=', join(' ', @_), "\n" }

my %ends;
for (@lines) { $ends{$1}++ if /([1-9])\1$/ }
say('pairs', map { "$_:$ends{$_}" } sort keys %ends);
(my $text = join(',', @lines[0 .. 40])) =~ s/(\d)(\d)/$2$1/g;
say('swapped', $text);
say('groups', "2024-11-29T20:15:07Z" =~ /^(?<year>\d{4})-(\d\d)-(\d\d)T(?:(\d\d):?){3}Z$/, $+{year});
(my $nested = 'a(b(c)d(e(f)))g') =~ s/(\((?:[^()]++|(?1))*\))/<$1>/;
say('nested', $nested);
my @sorted = sort { length($b) <=> length($a) or reverse($a) cmp reverse($b) } @lines[0 .. 1999];
say('sorted', sha256_hex(join("\n", @sorted)), @sorted[0, 1, 999, 1998]);
say('format', sprintf('%05d|%-6s|%+.3e|%x|%o|%b|%08.3f|%s', 42, 'ab', 12345.678, 48879, 511, 37, -3.14159, 1 / 4));
say('double', unpack('H*', pack('d>', reduce { $a / 1.0001 + sqrt $b } 0, 1 .. 3000)));
say('packed', unpack('H*', pack('nNvVCq>w', 1, 2, 3, 4, 5, -6, 300)));
say('integer', 18446744073709551557 % 4294967291, 9223372036854775807 - 12345678901234, 7 ** 20, -17 % 5, ~0 >> 3);
say('big', Math::BigInt->new(3)->bpow(500)->bmod(Math::BigInt->new(10)->bpow(60)->badd(7)));
say('sum', sum(@lines));
say('digest', sha256_hex(join('', @lines)));
