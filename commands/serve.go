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
	Addr         string         `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address."`
	Registration string         `default:"open" enum:"open,closed" help:"Registration: open, closed."`
	Scope        []string       `placeholder:"NAME" help:"Scope for services' tokens (repeatable)."`
	HideAccounts bool           `help:"Answer unknown accounts like wrong secrets."`
	TrustedProxy []netip.Prefix `placeholder:"CIDR" help:"Proxies to believe X-Forwarded-* from."`
	PublicURL    *url.URL       `placeholder:"URL" help:"Where browsers reach this server."`
	CookieDomain string         `placeholder:"NAME" help:"Domain whose hosts share one login."`
	ReturnHost   []string       `placeholder:"HOST[:PORT]" help:"More hosts a login may lead back to."`
	Connections  int            `default:"2048" help:"Connections open at once."`
	Bridge       bool           `help:"Let /v1/verify take an account and its secret, too."`
	LogFormat    string         `default:"text" enum:"text,json" help:"Format of the log: text, json."`
	LogLevel     slog.Level     `default:"info" help:"Least level logged: debug, info, warn, error."`
}

// domainName is a name of at least two labels, in lower case.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z][a-z0-9-]*$`)

// returnHost is a host name or an IPv4 address, and perhaps a port.
var returnHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

func isReturnHost(text string) bool {
	_, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint("0"+port, 10, 16)
	return returnHost.MatchString(text) && !strings.Contains(text, "..") && err == nil &&
		(port == "" || number > 0)
}

// Validate refuses addresses that make no sense together; the parser calls it.
func (s *serveCmd) Validate() error {
	if s.Connections < 1 {
		return errors.New("--connections is at least 1")
	}
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
		u.Host = u.Hostname() // browsers never say it
	}
	if (u.Scheme != "https" && u.Scheme != "http") || !isReturnHost(u.Host) ||
		u.String() != u.Scheme+"://"+u.Host {
		return errors.New("--public-url is a scheme and a host, such as https://login.example.com")
	}
	name := u.Hostname()
	s.CookieDomain = strings.ToLower(s.CookieDomain)
	if suffix, _ := publicsuffix.PublicSuffix(s.CookieDomain); s.CookieDomain != "" &&
		suffix == s.CookieDomain {
		return fmt.Errorf("--cookie-domain %s belongs to everybody: browsers take no cookie for it",
			suffix)
	}
	if d := s.CookieDomain; d != "" && (!domainName.MatchString(d) ||
		name != d && !strings.HasSuffix(name, "."+d)) {
		return fmt.Errorf("--cookie-domain is a domain, such as example.com, with %s in it", name)
	}
	for i, host := range s.ReturnHost {
		s.ReturnHost[i] = strings.ToLower(host)
		if !isReturnHost(s.ReturnHost[i]) {
			return fmt.Errorf("--return-host is a host, or host:port, not %q", host)
		}
	}
	return nil
}

// Run serves until a signal comes.
func (s *serveCmd) Run(ctx context.Context, c *cli, std Console) (err error) {
	logger := s.logger(std.Err)
	most, err := s.maxConnections()
	if err != nil {
		return err
	}
	serves, err := adoptSocket()
	if err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // closed already after serving
	c.scopes, c.cookieDomain = s.Scope, s.CookieDomain
	d, err := c.open(ctx, true, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := s.printBanner(ctx, c, d, listener.Addr(), std.Err); err != nil {
		return err
	}
	var bridge *auth.Bridge
	if s.Bridge {
		if bridge, err = auth.NewBridge(d.authority); err != nil {
			return err
		}
	}
	server := handlers.New(handlers.Config{Store: d.store, Authority: d.authority, Logger: logger,
		RegistrationOpen: s.Registration == "open", HideAccounts: s.HideAccounts,
		MinPassword: c.MinSecret, PasswordStrength: c.SecretStrength, TrustedProxies: s.TrustedProxy,
		PublicURL: s.PublicURL, ReturnHosts: s.ReturnHost, MaxConnections: most, Bridge: bridge})
	return s.serve(ctx, server, d, listener, logger, serves)
}

// serve serves until ctx is done or another process has taken over.
func (s *serveCmd) serve(
	ctx context.Context, server *handlers.Server, d data, listener net.Listener,
	logger *slog.Logger, serves func() error,
) error {
	if err := d.authority.Join(ctx); err != nil {
		return err
	}
	following, forget := context.WithCancel(context.WithoutCancel(ctx))
	serving, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { d.authority.Run(following) })
	wait.Go(func() { handOverOnSignal(serving, listener, stop, logger) })
	notifySystemd(daemon.SdNotifyReady, logger)
	err := serves()
	if err == nil {
		err = server.Serve(serving, listener)
	}
	stop()
	forget()
	wait.Wait()
	return err
}

// listen opens the address, or takes the socket that systemd has opened already, which stays open
// while one process takes over from another (sd_listen_fds(3)).
func (s *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	given, err := activation.Listeners()
	switch {
	case err != nil:
		return nil, err
	case len(given) == 0:
		return (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
	case len(given) > 1 || given[0] == nil:
		return nil, errors.New("systemd must pass one socket that listens, and nothing else")
	}
	return given[0], nil
}

// Descriptors: how many are kept for the database, the log and the listener, and how many there
// must be.
const (
	reservedFiles = 40
	minFiles      = 64
)

// maxConnections is how many connections may be open at once: what was asked for, or what the
// limit of descriptors leaves.
func (s *serveCmd) maxConnections() (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	if files.Cur < minFiles {
		return 0, fmt.Errorf("%d open files are allowed (ulimit -n): at least %d are needed",
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

// notifySystemd says how far the server is, if systemd has asked for it (sd_notify(3)).
func notifySystemd(state string, logger *slog.Logger) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("systemd cannot be told", "error", err)
	}
}

// reachable is the URL at which this machine reaches a listener.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "http://localhost:" + strconv.Itoa(tcp.Port)
	}
	return "http://" + addr.String()
}

// printBanner says where the server is and, while there is no administrator, how to make one.
func (s *serveCmd) printBanner(
	ctx context.Context, c *cli, d data, at net.Addr, w io.Writer,
) error {
	url := reachable(at)
	fmt.Fprintf(w, "Latchkey %s\n  address         %s\n  data directory  %s\n"+
		"  hashing         %d at once, %d MiB of memory at most\n", version, url, c.Data,
		auth.Slots(), uint64(c.Argon2.Memory)*uint64(auth.Slots())/1024)
	has, err := d.store.HasAdministrator(ctx)
	if err != nil || has {
		return err
	}
	token, err := d.authority.SetupToken()
	if err != nil {
		return err
	}
	if s.PublicURL != nil {
		url = s.PublicURL.String()
	}
	fmt.Fprintf(w, "  administrator   none yet: open this link within 15 minutes (it works once)\n"+
		"                  %s/setup?token=%s\n"+
		"                  or run: latchkey user add ACCOUNT --nickname NAME --admin\n", url, token)
	return nil
}
