package outbound

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// do sends a request to address and describes its failure.
func do(t *testing.T, ctx context.Context, client *http.Client, address string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err == nil {
		_ = response.Body.Close()
		t.Fatalf("%s responded", address)
	}
	return Unreachable(address, err)
}

func TestUnreachable(t *testing.T) {
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
	plain := httptest.NewServer(hangUp)
	defer plain.Close()
	untrusted := httptest.NewUnstartedServer(hangUp)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	client := NewClient(10 * time.Second)
	for _, test := range []struct {
		name, address string
		ctx           context.Context
		want          string
	}{
		{"refused", "http://127.0.0.1:1", t.Context(), "refused"},
		{"closed", plain.URL, t.Context(), "(it closed the connection)"},
		{"plain http", strings.Replace(plain.URL, "http:", "https:", 1), t.Context(),
			"(it speaks http, not https)"},
		{"untrusted", untrusted.URL, t.Context(), "not trusted: certificate signed by unknown authority"},
		{"late", plain.URL, late, "(no response in time)"},
		{"interrupted", plain.URL, canceled, "interrupted"},
	} {
		err := do(t, test.ctx, client, test.address)
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "dial tcp") {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	dns := &url.Error{Op: "Get", URL: "http://x", Err: &net.OpError{Op: "dial",
		Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}}
	if err := Unreachable("http://x", dns); !strings.Contains(err.Error(), "cannot be resolved") ||
		!errors.Is(err, error(dns)) {
		t.Error(err)
	}
}
