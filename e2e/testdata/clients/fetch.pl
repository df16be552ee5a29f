# Fetches an address in one of Perl's ways: fetch.pl WAY URL [USER PASSWORD]. It prints the body.
use strict;
use warnings;
use HTTP::Request;
use HTTP::Tiny;
use LWP::UserAgent;

my ($way, $url, $user, $password) = @ARGV;

if ($way eq 'tiny') {
    $url =~ s{://}{://$user:$password@} if defined $user;
    my $answer = HTTP::Tiny->new->get($url);
    die "status $answer->{status}\n" unless $answer->{success};
    print $answer->{content};
    exit;
}
my $agent = LWP::UserAgent->new;
my $request = HTTP::Request->new(GET => $url);
if (defined $user) {
    $request->authorization_basic($user, $password) if $way eq 'header';
    $agent->credentials(URI->new($url)->host_port, 'latchkey', $user, $password) if $way eq 'credentials';
}
my $answer = $agent->request($request);
die $answer->status_line, "\n" unless $answer->is_success;
print $answer->decoded_content;
