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

// Target is where a client wants to present a token.
type Target struct {
	scheme   string // "http", "https", or "" when it is not known
	name     string // host name or address, in lower case
	port     string // "" when it is not said
	anywhere bool   // every place: the newest login is meant
}

// AnyTarget is no place in particular: the newest login.
func AnyTarget() Target { return Target{anywhere: true} }

// ParseTarget reads a host, host:port or address such as "https://app.example.com/x". Errors: text
// that is none of them, or that names somebody before the host.
func ParseTarget(text string) (Target, error) {
	refused := fmt.Errorf("%q is no host and no address", text)
	if !strings.Contains(text, "://") {
		host, _, _ := strings.Cut(text, "/")
		text = "//" + host
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return Target{}, refused
	}
	p := Target{scheme: u.Scheme, name: strings.ToLower(u.Hostname()), port: u.Port()}
	if !isHost(u.Host) || (p.scheme != "" && p.scheme != "http" && p.scheme != "https") {
		return Target{}, refused
	}
	return p, nil
}

// Name is the place's host name, without a port.
func (p Target) Name() string { return p.name }

// hostForm is a name or an address in square brackets, and perhaps a port.
var hostForm = regexp.MustCompile(
	`^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(text string) bool {
	return hostForm.MatchString(text) && !strings.Contains(text, "..")
}

// isLocal says whether a name is this machine's.
func isLocal(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// isFor says whether the login's token may be presented at a place.
func (l Login) isFor(p Target) bool {
	if p.anywhere {
		return true
	}
	if p.scheme == "http" && !l.Insecure && !isLocal(p.name) {
		return false
	}
	return slices.ContainsFunc(l.Hosts, func(host string) bool { return covers(host, p) })
}

// covers says whether a place is meant by one of a login's hosts. Without a port it is the one
// that is usual for the scheme.
func covers(host string, p Target) bool {
	name, port := split(host)
	if p.defaultPort(port) != p.defaultPort(p.port) {
		return false
	}
	if domain, ok := strings.CutPrefix(name, "*"); ok {
		return strings.HasSuffix(p.name, domain)
	}
	return p.name == name
}

// defaultPort is a port, or the one of the place's scheme where none is said.
func (p Target) defaultPort(port string) string {
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[p.scheme]
	}
	return port
}

// split is a host's name and port.
func split(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return strings.Trim(host, "[]"), ""
}

// check refuses a login whose server or hosts make no sense, and fills in what was left out: the
// server's own host.
func (l *Login) check() error {
	u, err := url.Parse(l.URL)
	if err != nil || !isHost(u.Host) || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no address of a Latchkey server, such as https://login.example.com",
			l.URL)
	}
	u.Host, u.Path = strings.ToLower(u.Host), ""
	if u.Scheme == "http" && !l.Insecure && !isLocal(u.Hostname()) {
		return errors.New("plain http would show the secret to everybody on the way: use https, " +
			"or --insecure")
	}
	l.URL = u.String()
	if len(l.Hosts) == 0 {
		l.Hosts = []string{u.Host}
	}
	for i, host := range l.Hosts {
		host = strings.ToLower(host)
		domain, wild := strings.CutPrefix(host, "*.")
		if !isHost(domain) || wild && !strings.Contains(domain, ".") {
			return fmt.Errorf("%q is no host, host:port or *.domain", host)
		}
		l.Hosts[i] = host
	}
	return nil
}
