#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# serve.pl FOLDER PORT: the files of FOLDER by HTTP on loopback, which is up from then on. Perl's own core only.
use strict;
use warnings;
use IO::Socket::INET;

my ($folder, $port) = @ARGV;
socket(my $any, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
# SIOCSIFFLAGS: up, loopback, running
ioctl($any, 0x8914, my $lo = pack('a16 s x22', 'lo', 0x49)) or die "lo: $!";
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 9, ReuseAddr => 1)
    or die "listen: $@";
while (my $peer = $server->accept()) {
    my $path;
    while (my $line = <$peer>) {
        $path //= $1 if $line =~ m{^GET /([\w.+:%/-]+) };
        last if $line =~ /^\r?\n$/;
    }
    if (defined $path && $path !~ m{\.\.} && open(my $file, '<:raw', "$folder/$path")) {
        printf $peer "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", -s $file;
        local $/ = \65536;
        print $peer $_ while <$file>;
    } else {
        print $peer "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }
    close $peer;
}
