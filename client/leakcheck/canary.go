package leakcheck

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"latchkey/client/internal/outbound"
	"latchkey/client/wire"
)

// canary is a request with a token in one slot and a marker by which the log shows the request.
type canary struct{ slot, token, marker string }

// newCanaries returns a canary for each slot. Their tokens have the form of real ones.
func newCanaries() (canaries []canary) {
	for _, slot := range []string{"user name", "password", "Bearer", "cookie"} {
		canaries = append(canaries, canary{slot, "MT" + randomHex(27), "doctor" + randomHex(8)})
	}
	return canaries
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // cannot fail since Go 1.24
	return hex.EncodeToString(b)
}

// send sends the request and returns how the servers on the way name themselves.
func (c canary) send(ctx context.Context, address string) (server string, err error) {
	r, err := c.request(ctx, address)
	if err != nil {
		return "", err
	}
	response, err := outbound.NewClient(10 * time.Second).Do(r)
	if err != nil {
		return "", outbound.Unreachable(address, err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // bytes
	server = strings.TrimSpace(response.Header.Get("Server") + " " + response.Header.Get("Via"))
	return wire.Printable(server), errors.Join(err, response.Body.Close())
}

func (c canary) request(ctx context.Context, address string) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, fmt.Errorf("%q is not a URL to check: write one such as https://app.example.com",
			address)
	}
	query := u.Query()
	query.Set("latchkey-doctor", c.marker)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "latchkey-doctor "+c.marker)
	switch c.slot {
	case "user name":
		r.SetBasicAuth(c.token, "")
	case "password":
		r.SetBasicAuth("anyname", c.token)
	case "Bearer":
		r.Header.Set("Authorization", "Bearer "+c.token)
	case "cookie":
		var cookies []string
		for _, name := range wire.CookieNames() {
			cookies = append(cookies, name+"="+c.token)
		}
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return r, nil
}
