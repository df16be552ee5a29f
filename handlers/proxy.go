package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"latchkey/auth"

	"github.com/labstack/echo/v4"
)

// extractors decide whose address and which scheme a request has: those of the connection, unless
// it comes from a trusted proxy, which may tell otherwise.
func extractors(trusted []netip.Prefix) (echo.IPExtractor, echo.SchemeExtractor) {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect(), connectionScheme
	}
	options := []echo.TrustOption{
		echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range trusted {
		options = append(options, echo.TrustIPRange(ipNet(prefix)))
	}
	scheme := func(r *http.Request) string {
		told := r.Header.Values(echo.HeaderXForwardedProto)
		if len(told) == 1 && isTrusted(trusted, r.RemoteAddr) {
			if told := strings.ToLower(told[0]); told == "https" || told == "http" {
				return told
			}
		}
		return connectionScheme(r)
	}
	return echo.ExtractIPFromXFFHeader(options...), scheme
}

func connectionScheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func isTrusted(trusted []netip.Prefix, remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, prefix := range trusted {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// warnUntrustedProxy says in the log, once, that a proxy on this machine passes clients on without being
// trusted: to the limits of logins they are then all one.
func (s *Server) warnUntrustedProxy(c echo.Context) {
	h := c.Request().Header
	if h.Get(echo.HeaderXForwardedFor) == "" && h.Get("Forwarded") == "" {
		return
	}
	peer, err := netip.ParseAddrPort(c.Request().RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() ||
		isTrusted(s.config.TrustedProxies, c.Request().RemoteAddr) {
		return
	}
	s.warnProxy.Do(func() {
		s.config.Logger.Warn("a proxy on this machine is not trusted, so all its clients count " +
			"as one: give --trusted-proxy 127.0.0.1/32")
	})
}

// originalURL is the address that a client asked a trusted proxy for, if a login may lead back to it.
// A form that was sent is not sent again: after a login the way leads to the front page of its
// host. nginx says that this is how the address was told, X-Original-URL.
func (s *Server) originalURL(r *http.Request) (address string, nginx, ok bool) {
	if !isTrusted(s.config.TrustedProxies, r.RemoteAddr) {
		return "", false, false
	}
	address, nginx = singleHeader(r.Header, "X-Original-URL")
	method, _ := singleHeader(r.Header, "X-Original-Method")
	if !nginx {
		scheme, _ := singleHeader(r.Header, "X-Forwarded-Proto")
		host, told := singleHeader(r.Header, "X-Forwarded-Host")
		path, _ := singleHeader(r.Header, "X-Forwarded-Uri")
		if !told || !strings.HasPrefix(path, "/") {
			return "", false, false
		}
		address = scheme + "://" + host + path
		method, _ = singleHeader(r.Header, "X-Forwarded-Method")
	}
	front := frontOf(address)
	if address, ok = s.site.address(address); !ok { // too long, or escaped in a way of its own
		address, ok = s.site.address(front)
	}
	if ok && method != "" && method != http.MethodGet && method != http.MethodHead {
		address = frontOf(address)
	}
	return address, nginx, ok
}

// frontOf is the front page of an address's host, whatever stands behind the host.
func frontOf(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest + "/"
}

// singleHeader is the value of a header that is there exactly once.
func singleHeader(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// client is who asks, for the list of tokens and for the limits of logins.
func (s *Server) client(c echo.Context) auth.Client {
	s.warnUntrustedProxy(c)
	return auth.Client{UserAgent: shorten(c.Request().UserAgent(), 200), Address: c.RealIP()}
}

// baseURL is where this server is reached: the public address, or where the caller reached it.
// HTTP/1.0 may not say: then it is where the connection ended.
func (s *Server) baseURL(c echo.Context) string {
	if s.site.public != nil {
		return s.site.public.String()
	}
	host := c.Request().Host
	local, known := c.Request().Context().Value(http.LocalAddrContextKey).(net.Addr)
	if host == "" && known {
		host = local.String()
	}
	return c.Scheme() + "://" + host
}

// hostName is the name by which this server is reached, without its port.
func (s *Server) hostName(c echo.Context) string {
	u, err := url.Parse(s.baseURL(c))
	if err != nil {
		return ""
	}
	return u.Hostname()
}
