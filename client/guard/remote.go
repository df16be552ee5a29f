package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"latchkey/client/wire"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Options are the rules a Remote works by. The zero value of a field means its default.
type Options struct {
	// CacheFor is how long a good answer is used again; default five seconds, negative for never.
	// A token that was ended may work for so long.
	CacheFor time.Duration
	// CacheSize is how many answers are kept; default 1,024.
	CacheSize int
	// Client asks the server; the default waits two seconds. It should not follow redirects.
	Client *http.Client
	// Secure says that browsers reach this service by https, also if a proxy ends it before.
	Secure bool
}

// Remote is a Verifier that asks a Latchkey server's /v1/verify, and remembers good answers for
// a few seconds. It is safe for concurrent use.
type Remote struct {
	url     *url.URL
	options Options
	key     []byte
	known   *lru.Cache[requestKey, cached]
}

type requestKey [sha256.Size]byte

// cached is a good answer and until when it counts.
type cached struct {
	identity wire.Identity
	until    time.Time
}

// NewRemote makes a Remote for the server at an address such as "http://127.0.0.1:8080". Errors:
// an address that is none.
func NewRemote(address string, o Options) (*Remote, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of a server", address)
	}
	if o.CacheFor == 0 {
		o.CacheFor = 5 * time.Second
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 1024
	}
	if o.Client == nil {
		o.Client = defaultClient()
	}
	key := make([]byte, sha256.Size)
	rand.Read(key) // cannot fail since Go 1.24
	known, err := lru.New[requestKey, cached](o.CacheSize)
	return &Remote{url: u.JoinPath(wire.VerifyPath), options: o, key: key, known: known}, err
}

func defaultClient() *http.Client {
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Verify asks whose a request is; see Verifier.
func (v *Remote) Verify(r *http.Request, scope string) (wire.Identity, error) {
	credentials := credentialsOf(r)
	if len(credentials) == 0 {
		return wire.Identity{}, wire.ErrTokenInvalid
	}
	key := v.keyOf(scope, credentials)
	if known, ok := v.known.Get(key); ok && time.Now().Before(known.until) {
		return known.identity, nil
	}
	until := time.Now().Add(v.options.CacheFor)
	identity, err := v.ask(r, scope, credentials)
	if err == nil && v.options.CacheFor > 0 {
		v.known.Add(key, cached{identity, until})
	}
	return identity, err
}

// credentialsOf is the headers of a request that can carry a token. Of the cookies, Latchkey's
// alone are passed on.
func credentialsOf(r *http.Request) http.Header {
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

// keyOf names a question by a keyed hash, so that no credentials lie in the cache. Lengths keep
// its parts apart.
func (v *Remote) keyOf(scope string, credentials http.Header) requestKey {
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
	return requestKey(mac.Sum(nil))
}

func (v *Remote) ask(r *http.Request, scope string, credentials http.Header) (wire.Identity, error) {
	to := *v.url
	if scope != "" {
		to.RawQuery = url.Values{"scope": {scope}}.Encode()
	}
	ask, err := http.NewRequestWithContext( //nolint:gosec // the address is the operator's
		r.Context(), http.MethodGet, to.String(), nil)
	if err != nil {
		return wire.Identity{}, err
	}
	ask.Header = credentials
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		ask.Header.Set("X-Forwarded-For", host)
	}
	if v.options.Secure || r.TLS != nil {
		ask.Header.Set("X-Forwarded-Proto", "https")
	}
	told, err := v.options.Client.Do(ask) //nolint:gosec // the address is the operator's
	if err != nil {
		return wire.Identity{}, fmt.Errorf("%w: %w", wire.ErrUnavailable, err)
	}
	defer told.Body.Close() //nolint:errcheck // it was read only
	return read(told)
}

// read takes a server's answer for what it is; anything that is not an answer of Latchkey's is
// wire.ErrUnavailable.
func read(told *http.Response) (wire.Identity, error) {
	switch told.StatusCode {
	case http.StatusOK:
		return wire.ParseIdentity(told.Header)
	case http.StatusForbidden:
		return wire.Identity{}, wire.ErrScope
	case http.StatusUnauthorized:
		var body struct {
			Msg string `json:"msg"`
		}
		err := json.NewDecoder(io.LimitReader(told.Body, 16<<10)).Decode(&body)
		if err == nil && body.Msg == wire.ErrTokenExpired.Error() {
			return wire.Identity{}, wire.ErrTokenExpired
		}
		return wire.Identity{}, wire.ErrTokenInvalid
	}
	return wire.Identity{}, fmt.Errorf("%w: the server answered %s", wire.ErrUnavailable, told.Status)
}
