package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
)

// extractors return the client's address and scheme: those of the connection, unless a trusted
// proxy forwards others.
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
		proto, ok := singleHeader(r.Header, echo.HeaderXForwardedProto)
		proto = strings.ToLower(proto)
		if ok && isTrusted(trusted, r.RemoteAddr) && (proto == "https" || proto == "http") {
			return proto
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

func isSecure(c echo.Context) bool { return c.Scheme() == "https" }

// isTrusted reports whether a remote address is that of a trusted proxy.
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

// client describes the client, for the list of tokens and for the login limiter.
func (s *Server) client(c echo.Context) auth.Client {
	s.warnUntrustedProxy(c)
	return auth.Client{UserAgent: shorten(c.Request().UserAgent(), 200), Address: c.RealIP()}
}

// warnUntrustedProxy logs a warning, once, if a proxy on this machine forwards clients without
// being trusted.
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
		s.config.Logger.Warn("a proxy on this machine is not trusted: the login limiter counts all " +
			"its clients as one. Pass --trusted-proxy 127.0.0.1/32")
	})
}

// baseURL returns the address of this server: the public one, or the one that the client used.
// HTTP/1.0 may lack a Host header; then it is the local address of the connection.
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

// hostName returns the host of baseURL without the port.
func (s *Server) hostName(c echo.Context) string {
	u, err := url.Parse(s.baseURL(c))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// originalURL returns the address that a client requested from a trusted proxy, if a login may
// redirect there. After a method other than GET and HEAD it is the front page of the host, because
// a form cannot be sent again. nginx is true if the address came in X-Original-URL.
func (s *Server) originalURL(r *http.Request) (address string, nginx, ok bool) {
	if !isTrusted(s.config.TrustedProxies, r.RemoteAddr) {
		return "", false, false
	}
	address, nginx = singleHeader(r.Header, "X-Original-URL")
	method, _ := singleHeader(r.Header, "X-Original-Method")
	if !nginx {
		scheme, _ := singleHeader(r.Header, "X-Forwarded-Proto")
		host, known := singleHeader(r.Header, "X-Forwarded-Host")
		path, _ := singleHeader(r.Header, "X-Forwarded-Uri")
		if !known || !strings.HasPrefix(path, "/") {
			return "", false, false
		}
		address = scheme + "://" + host + path
		method, _ = singleHeader(r.Header, "X-Forwarded-Method")
	}
	front := frontPage(address)
	if address, ok = s.site.address(address); !ok { // too long, or with malformed escapes
		address, ok = s.site.address(front)
	}
	if ok && method != "" && method != http.MethodGet && method != http.MethodHead {
		address = frontPage(address)
	}
	return address, nginx, ok
}

// frontPage returns the address of a host's front page, whatever follows the host.
func frontPage(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest + "/"
}

// singleHeader returns a header that is present exactly once and not empty.
func singleHeader(h http.Header, name string) (value string, ok bool) {
	values := h.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}
