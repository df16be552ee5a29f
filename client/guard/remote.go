package guard

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/client/internal/outbound"
	"latchkey/client/wire"
)

// Options configure a Remote. The zero value of each field selects its default.
type Options struct {
	// CacheFor is how long the identity of a valid token is cached, and so how long a revoked token
	// may still work. The default is five seconds; a negative value turns the cache off.
	CacheFor time.Duration
	// CacheSize is the maximum number of cached identities. The default is 1,024.
	CacheSize int
	// Client sends the requests to the Latchkey server. The default gives up after two seconds. It
	// should not follow redirects: they would carry tokens to another address.
	Client *http.Client
	// Secure says that browsers reach this service by https although a proxy reaches it by http. The
	// server then looks for its https cookie, if --trusted-proxy includes this service.
	Secure bool
}

// Remote is a Verifier that sends the credentials of a request to the endpoint /v1/verify of a
// Latchkey server. It is safe for concurrent use.
type Remote struct {
	url     *url.URL
	options Options
	key     []byte // of the HMAC in cacheKey
	cache   *lru.Cache[cacheKey, cacheEntry]
}

// cacheKey identifies a scope and credentials by a keyed hash, so that the cache holds no tokens.
type cacheKey [sha256.Size]byte

type cacheEntry struct {
	identity wire.Identity
	until    time.Time
}

// NewRemote returns a Remote for the server at a URL such as "https://login.example.com". It sends
// nothing yet. The error says that address is not a URL of a server.
func NewRemote(address string, o Options) (*Remote, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the URL of a Latchkey server: write one such as "+
			"https://login.example.com", address)
	}
	if o.CacheFor == 0 {
		o.CacheFor = 5 * time.Second
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 1024
	}
	if o.Client == nil {
		o.Client = outbound.NewClient(2 * time.Second)
		o.Client.Transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	}
	key := make([]byte, sha256.Size)
	rand.Read(key) // cannot fail since Go 1.24
	cache, err := lru.New[cacheKey, cacheEntry](o.CacheSize)
	return &Remote{url: u.JoinPath(wire.VerifyPath), options: o, key: key, cache: cache}, err
}

// Verify asks the server who owns the token of a request; see Verifier. It does not ask for
// credentials that are cached, nor for requests without any. Errors: those of Verifier, and
// wire.ErrUnavailable if the server cannot be reached or does not respond as Latchkey does.
func (v *Remote) Verify(r *http.Request, scope string) (wire.Identity, error) {
	scope = cmp.Or(scope, wire.UserScope)
	credentials := credentialHeaders(r)
	if len(credentials) == 0 {
		return wire.Identity{}, wire.ErrTokenInvalid
	}
	key := v.cacheKey(scope, credentials)
	if entry, ok := v.cache.Get(key); ok && time.Now().Before(entry.until) {
		return entry.identity, nil
	}
	until := time.Now().Add(v.options.CacheFor)
	identity, err := v.ask(r, scope, credentials)
	if err == nil && v.options.CacheFor > 0 {
		v.cache.Add(key, cacheEntry{identity, until})
	}
	return identity, err
}

// credentialHeaders returns the headers of a request that can carry a token: Authorization, and
// Latchkey's own cookies.
func credentialHeaders(r *http.Request) http.Header {
	h := http.Header{}
	for _, value := range r.Header.Values("Authorization") {
		h.Add("Authorization", value)
	}
	var cookies []string
	for _, cookie := range r.Cookies() {
		if wire.IsCookieName(cookie.Name) {
			cookies = append(cookies, cookie.Name+"="+cookie.Value)
		}
	}
	if cookies != nil {
		h.Set("Cookie", strings.Join(cookies, "; "))
	}
	return h
}

// cacheKey hashes each part with its length, so that no two different requests have the same key.
func (v *Remote) cacheKey(scope string, credentials http.Header) cacheKey {
	mac := hmac.New(sha256.New, v.key)
	add := func(parts ...string) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(parts))))
		for _, part := range parts {
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			mac.Write([]byte(part))
		}
	}
	add(scope)
	add(credentials["Authorization"]...)
	add(credentials["Cookie"]...)
	return cacheKey(mac.Sum(nil))
}

// ask sends the credentials to the server, and what it may log or needs to know of the request: the
// client's address and whether it used https.
func (v *Remote) ask(
	r *http.Request, scope string, credentials http.Header,
) (wire.Identity, error) {
	target := *v.url
	target.RawQuery = url.Values{"scope": {scope}}.Encode()
	request, err := http.NewRequestWithContext( //nolint:gosec // the operator chose the address
		r.Context(), http.MethodGet, target.String(), nil)
	if err != nil {
		return wire.Identity{}, err
	}
	request.Header = credentials
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		request.Header.Set("X-Forwarded-For", host)
	}
	if v.options.Secure || r.TLS != nil {
		request.Header.Set("X-Forwarded-Proto", "https")
	}
	response, err := v.options.Client.Do(request) //nolint:gosec // the operator chose the address
	if err != nil {
		return wire.Identity{}, fmt.Errorf("%w: %w", wire.ErrUnavailable,
			outbound.Unreachable(v.url.Redacted(), err))
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	return parse(response)
}

// maxBody bounds how much of a response is read, in bytes.
const maxBody = 16 << 10

// parse reads the server's response. Whatever Latchkey would not send is wire.ErrUnavailable.
func parse(response *http.Response) (wire.Identity, error) {
	switch response.StatusCode {
	case http.StatusOK:
		return wire.ParseIdentity(response.Header)
	case http.StatusForbidden:
		return wire.Identity{}, wire.ErrScope
	case http.StatusUnauthorized:
		var body struct {
			Msg string `json:"msg"`
		}
		err := json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(&body)
		if err == nil && body.Msg == wire.ErrTokenExpired.Error() {
			return wire.Identity{}, wire.ErrTokenExpired
		}
		return wire.Identity{}, wire.ErrTokenInvalid
	}
	return wire.Identity{}, fmt.Errorf("%w: the server responded with status %d",
		wire.ErrUnavailable, response.StatusCode)
}
