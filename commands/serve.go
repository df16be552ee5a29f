//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/net/publicsuffix"

	"latchkey/auth"
	"latchkey/handlers"
)

// serveCmd is latchkey serve.
type serveCmd struct {
	Addr         string         `default:"127.0.0.1:8080" placeholder:"HOST:PORT" group:"serve" help:"Address to listen on."`
	Registration string         `default:"" enum:"open,approve,closed," placeholder:"open|approve|closed" group:"serve" help:"Who may register: open for everyone, approve for everyone whose account an administrator then approves, closed for nobody (default: open if only this machine reaches the server, otherwise required)."`
	Scope        []string       `placeholder:"NAME" group:"serve" help:"Scope for service tokens; repeatable."`
	HideAccounts bool           `group:"serve" help:"Respond to a login with an unknown account as to a wrong password."`
	TrustedProxy []netip.Prefix `placeholder:"CIDR" group:"serve" help:"Network of proxies whose X-Forwarded-* headers are trusted; repeatable."`
	PublicURL    *url.URL       `placeholder:"URL" group:"serve" help:"URL at which browsers reach this server (default: from each request)."`
	CookieDomain string         `placeholder:"NAME" group:"serve" help:"Domain whose hosts share one login."`
	ReturnHost   []string       `placeholder:"HOST[:PORT]" group:"serve" help:"Further host to which a login may redirect; repeatable."`
	Connections  int            `default:"2048" placeholder:"N" group:"serve" help:"Maximum of open connections; one network may hold half."`
	Bridge       bool           `group:"serve" help:"Accept an account and its password at /v1/verify, too."`
	LogFormat    string         `default:"text" enum:"text,json" placeholder:"text|json" group:"serve" help:"Format of the log."`
	LogLevel     slog.Level     `default:"info" placeholder:"LEVEL" group:"serve" help:"Lowest level to log: debug, info, warn or error."`

	configFlags `group:"config"`
}

// domainName is a domain of at least two labels, in lower case.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z][a-z0-9-]*$`)

// returnHost is a host name or an IPv4 address, with or without a port.
var returnHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

func isReturnHost(text string) bool {
	_, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint("0"+port, 10, 16)
	return returnHost.MatchString(text) && !strings.Contains(text, "..") && err == nil &&
		(port == "" || number > 0)
}

// Validate checks the flags before anything is opened.
func (s *serveCmd) Validate() error {
	if s.Connections < 1 {
		return errors.New("--connections is at least 1")
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	}
	if err != nil {
		return fmt.Errorf("--addr is HOST:PORT, such as 127.0.0.1:8080, not %q", s.Addr)
	}
	if err := s.validateURLs(); err != nil {
		return err
	}
	if os.Getenv("LISTEN_FDS") == "" { // otherwise the inherited socket decides
		if err := s.decideRegistration(isLoopback(host)); err != nil {
			return err
		}
	}
	return s.validate(s.ownOptions())
}

// decideRegistration sets the default of --registration. If others can reach the server, the
// operator must choose: a stranger could register an account that services behind it accept.
func (s *serveCmd) decideRegistration(loopback bool) error {
	switch {
	case s.Registration != "":
		return nil
	case loopback && s.PublicURL == nil:
		s.Registration = "open"
		return nil
	}
	return errors.New("--registration is missing: say open (everyone may register), " +
		"approve (an administrator approves each account) or closed (nobody may)")
}

// isLoopback reports whether only this machine reaches a host.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// listensOnLoopback reports whether only this machine reaches a listener.
func listensOnLoopback(listener net.Listener) bool {
	host, _, err := net.SplitHostPort(listener.Addr().String())
	return err == nil && isLoopback(host)
}

// ownOptions are the options that no other command sets.
func (s *serveCmd) ownOptions() auth.Options {
	return auth.Options{Scopes: s.Scope, CookieDomain: s.CookieDomain}
}

// validateURLs checks the addresses together and normalises them.
func (s *serveCmd) validateURLs() error {
	if s.PublicURL == nil || s.PublicURL.String() == "" {
		s.PublicURL = nil
		if s.CookieDomain != "" || len(s.ReturnHost) != 0 {
			return errors.New("--cookie-domain and --return-host need --public-url")
		}
		return nil
	}
	u := s.PublicURL
	u.Host, u.Path = strings.ToLower(u.Host), strings.TrimSuffix(u.Path, "/")
	if u.Port() == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		u.Host = u.Hostname() // browsers omit the default port
	}
	if (u.Scheme != "https" && u.Scheme != "http") || !isReturnHost(u.Host) ||
		u.String() != u.Scheme+"://"+u.Host {
		return errors.New("--public-url is a scheme and a host, such as https://login.example.com")
	}
	if err := s.validateCookieDomain(u.Hostname()); err != nil {
		return err
	}
	for i, host := range s.ReturnHost {
		s.ReturnHost[i] = strings.ToLower(host)
		if !isReturnHost(s.ReturnHost[i]) {
			return fmt.Errorf("--return-host is a host, or host:port, not %q", host)
		}
	}
	return nil
}

// validateCookieDomain checks the cookie's domain against the host of --public-url.
func (s *serveCmd) validateCookieDomain(host string) error {
	s.CookieDomain = strings.ToLower(s.CookieDomain)
	domain := s.CookieDomain
	if domain == "" {
		return nil
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		return fmt.Errorf("--cookie-domain: %s is a public suffix; browsers reject its cookies", domain)
	}
	if !domainName.MatchString(domain) || host != domain && !strings.HasSuffix(host, "."+domain) {
		return fmt.Errorf("--cookie-domain is a domain, such as example.com, that contains %s", host)
	}
	return nil
}

// Run serves until ctx is done.
func (s *serveCmd) Run(ctx context.Context, std Console) (err error) {
	logger := s.logger(std.Err)
	defer surviveHangUp(logger)()
	connections, err := s.maxConnections()
	if err != nil {
		return err
	}
	ready, err := adoptSocket()
	if err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // serving closes it, too
	if err := s.decideRegistration(listensOnLoopback(listener)); err != nil {
		return err
	}
	d, err := s.openWith(ctx, opening{create: true, options: s.options(s.ownOptions(), logger)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := s.printBanner(ctx, d, listener.Addr(), std.Err); err != nil {
		return err
	}
	server, err := s.server(d, logger, connections)
	if err != nil {
		return err
	}
	return s.serve(ctx, server, d, listener, logger, ready)
}

func (s *serveCmd) server(
	d directory, logger *slog.Logger, connections int,
) (server *handlers.Server, err error) {
	var bridge *auth.Bridge
	if s.Bridge {
		if bridge, err = auth.NewBridge(d.authority); err != nil {
			return nil, err
		}
	}
	return handlers.New(handlers.Config{Store: d.store, Authority: d.authority, Logger: logger,
		Registration: handlers.Registration(s.Registration), HideAccounts: s.HideAccounts,
		MinPassword: s.MinSecret, PasswordStrength: s.SecretStrength, TrustedProxies: s.TrustedProxy,
		PublicURL: s.PublicURL, ReturnHosts: s.ReturnHost, MaxConnections: connections,
		Bridge: bridge}), nil
}

// serve serves until ctx is done or a successor has taken over.
func (s *serveCmd) serve(
	ctx context.Context, server *handlers.Server, d directory, listener net.Listener,
	logger *slog.Logger, ready func() error,
) error {
	if err := d.authority.Join(ctx); err != nil {
		return err
	}
	d.store.ServeRequests()
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	serving, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { d.authority.Run(background) })
	wait.Go(func() { handOverOnSignal(serving, listener, stop, logger) })
	notifySystemd(daemon.SdNotifyReady, logger)
	err := ready()
	if err == nil {
		err = server.Serve(serving, listener)
	}
	stop()
	endBackground()
	wait.Wait()
	return err
}

// listen opens the address, or takes the socket that systemd or a predecessor has opened
// (sd_listen_fds(3)).
func (s *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	inherited, err := activation.Listeners()
	switch {
	case err != nil:
		return nil, err
	case len(inherited) == 0:
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
		return listener, s.explainListen(err)
	case len(inherited) > 1 || inherited[0] == nil:
		return nil, errors.New("systemd must pass one listening socket: check the .socket unit")
	}
	return inherited[0], nil
}

// explainListen says what to do about an address that cannot be opened.
func (s *serveCmd) explainListen(err error) error {
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("the host of --addr %s is unknown: write an address of this machine", s.Addr)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("address %s is already in use: choose another with --addr", s.Addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("address %s needs privileges: choose a port above 1023 with --addr", s.Addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("address %s is not one of this machine: choose another with --addr", s.Addr)
	}
	return err
}

// File descriptors: how many are reserved for the database, the log and the listener, and how many
// there must be at least.
const (
	reservedFiles = 40
	minFiles      = 64
)

// maxConnections returns how many connections may be open at once: --connections, or what the limit
// of file descriptors leaves.
func (s *serveCmd) maxConnections() (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	if files.Cur < minFiles {
		return 0, fmt.Errorf("the limit of open files is %d: raise it to at least %d (ulimit -n)",
			files.Cur, minFiles)
	}
	return int(min(uint64(s.Connections), files.Cur-reservedFiles)), nil
}

func (s *serveCmd) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// notifySystemd reports the state of the server if systemd asks for it (sd_notify(3)).
func notifySystemd(state string, logger *slog.Logger) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("systemd cannot be notified", "error", err)
	}
}

// localURL is the URL at which this machine reaches a listener.
func localURL(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "http://localhost:" + strconv.Itoa(tcp.Port)
	}
	return "http://" + addr.String()
}

// printBanner prints where the server is and, while there is no administrator, how to create one.
func (s *serveCmd) printBanner(ctx context.Context, d directory, at net.Addr, w io.Writer) error {
	address := localURL(at)
	fmt.Fprintf(w, "Latchkey %s\n  address         %s\n  data            %s\n"+
		"  hashing         %d at once, at most %d MiB of memory\n", version, address, d.name,
		auth.Slots(), uint64(s.Argon2.Memory)*uint64(auth.Slots())/1024)
	has, err := d.store.HasAdministrator(ctx)
	if err != nil || has {
		return err
	}
	token, err := d.authority.SetupToken()
	if err != nil {
		return err
	}
	if s.PublicURL != nil {
		address = s.PublicURL.String()
	}
	fmt.Fprintf(w, "  administrator   none yet: open this link within 15 minutes (it works once)\n"+
		"                  %s/setup?token=%s\n"+
		"                  or run: latchkey user add ACCOUNT --nickname NAME --admin%s\n", address, token,
		s.flagsAgain())
	return nil
}
