# Fetches a URL in Perl and prints the body: fetch.pl LIBRARY URL [USER PASSWORD]
use strict;
use warnings;
use HTTP::Request;
use HTTP::Tiny;
use LWP::UserAgent;

my ($library, $url, $user, $password) = @ARGV;

if ($library eq 'tiny') {
    $url =~ s{://}{://$user:$password@} if defined $user;
    my $response = HTTP::Tiny->new->get($url);
    die "status $response->{status}\n" unless $response->{success};
    print $response->{content};
    exit;
}
my $agent = LWP::UserAgent->new;
my $request = HTTP::Request->new(GET => $url);
if (defined $user) {
    $request->authorization_basic($user, $password) if $library eq 'header';
    $agent->credentials(URI->new($url)->host_port, 'latchkey', $user, $password) if $library eq 'credentials';
}
my $response = $agent->request($request);
die $response->status_line, "\n" unless $response->is_success;
print $response->decoded_content;
