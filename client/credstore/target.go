package credstore

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Target is where a client wants to send a token.
type Target struct {
	scheme   string // "http", "https", or "" if unknown
	hostname string // name or IP address in lower case
	port     string // "" if the client named none
	any      bool   // no host in particular
}

// AnyTarget returns the target that every login covers, so that the newest login is used.
func AnyTarget() Target { return Target{any: true} }

// ParseTarget reads a host, host:port or URL, such as "https://app.example.com/x". The error says
// that text is none of these, or is a URL with a user name.
func ParseTarget(text string) (Target, error) {
	invalid := fmt.Errorf("%q is neither a host nor a URL: write app.example.com, "+
		"app.example.com:8443 or https://app.example.com", text)
	if !strings.Contains(text, "://") {
		host, _, _ := strings.Cut(text, "/")
		text = "//" + host
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || !isHost(u.Host) ||
		(u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "") {
		return Target{}, invalid
	}
	return Target{scheme: u.Scheme, hostname: strings.ToLower(u.Hostname()), port: u.Port()}, nil
}

// Hostname returns the target's host name or IP address, without the port.
func (t Target) Hostname() string { return t.hostname }

// hostPattern matches a name, or an IPv6 address in brackets, with or without a port.
var hostPattern = regexp.MustCompile(
	`^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(text string) bool {
	return hostPattern.MatchString(text) && !strings.Contains(text, "..")
}

// isLoopback reports whether requests to a host name stay on this machine.
func isLoopback(hostname string) bool {
	if hostname == "localhost" || strings.HasSuffix(hostname, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(hostname)
	return err == nil && addr.IsLoopback()
}

// covers reports whether the login's token may be sent to a target.
func (l Login) covers(t Target) bool {
	if t.any {
		return true
	}
	if t.scheme == "http" && !l.Insecure && !isLoopback(t.hostname) {
		return false
	}
	return slices.ContainsFunc(l.Hosts, t.matches)
}

// matches reports whether the target is on a login's host: host, host:port or *.domain. Without a
// port, both mean the default port of the target's scheme.
func (t Target) matches(host string) bool {
	name, port := splitHost(host)
	if t.portOrDefault(port) != t.portOrDefault(t.port) {
		return false
	}
	if domain, ok := strings.CutPrefix(name, "*"); ok {
		return strings.HasSuffix(t.hostname, domain)
	}
	return t.hostname == name
}

func (t Target) portOrDefault(port string) string {
	switch {
	case port == "" && t.scheme == "http":
		return "80"
	case port == "" && t.scheme == "https":
		return "443"
	}
	return port
}

// splitHost splits "host:port", "host", "[IPv6]:port" or "[IPv6]".
func splitHost(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return strings.Trim(host, "[]"), ""
}

// Normalize checks the login's URL and hosts, and writes them in lower case. Without hosts the
// token is for the server's own host. The error says what to write instead.
func (l *Login) Normalize() error {
	u, err := url.Parse(l.URL)
	if err != nil || !isServer(u) {
		return fmt.Errorf("%q is not the URL of a Latchkey server: write one such as "+
			"https://login.example.com", l.URL)
	}
	u.Host, u.Path = strings.ToLower(u.Host), ""
	if u.Scheme == "http" && !l.Insecure && !isLoopback(u.Hostname()) {
		return errors.New("plain http would show the password to everyone on the network: " +
			"use https, or --insecure")
	}
	l.URL = u.String()
	if len(l.Hosts) == 0 {
		l.Hosts = []string{u.Host}
	}
	for i, host := range l.Hosts {
		host = strings.ToLower(host)
		domain, wildcard := strings.CutPrefix(host, "*.")
		if !isHost(domain) || wildcard && !strings.Contains(domain, ".") {
			return fmt.Errorf("%q is not a host: write host, host:port or *.domain", host)
		}
		l.Hosts[i] = host
	}
	return nil
}

// isServer reports whether a URL has a scheme and a host and nothing else.
func isServer(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && isHost(u.Host) && u.User == nil &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}
