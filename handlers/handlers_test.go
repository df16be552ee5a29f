package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

func bodyRequest(media, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/token", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	return r
}

func TestReadObject(t *testing.T) {
	tests := []struct {
		name, media, body, want string
	}{
		{"OK", "application/json", `{"account":"a","type":100,"extra":[{}]}`, ""},
		{"OK/charset", "Application/JSON; charset=utf-8", `{"account":"a","type":100}`, ""},
		{"OK/no type needed without a body", "", "", "type: This field is required."},
		{"Err/media type", "text/plain", `{}`, "415"},
		{"Err/no media type", "", `{}`, "415"},
		{"Err/not JSON", "application/json", `{"account":`, "body: The body is not valid JSON."},
		{"Err/trailing", "application/json", `{} {}`, "body: The body is not valid JSON."},
		{"Err/array", "application/json", `[1,2]`, "body: The body must be a JSON object."},
		{"Err/null", "application/json", `null`, "body: The body must be a JSON object."},
		{"Err/twice", "application/json", `{"a":1,"a":2}`, "body: The body has a member twice."},
		{"Err/deep", "application/json", `{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`,
			"body: The body is nested deeper than 8 levels."},
		{"Err/not UTF-8", "application/json", "{\"a\":\"\xff\"}", "body: The body is not UTF-8."},
		{"Err/number account", "application/json", `{"account":1,"type":100}`,
			"account: This field must be text."},
		{"Err/text type", "application/json", `{"type":"100"}`,
			"type: '100' is not a valid ClientTypeEnum"},
		{"Err/fraction", "application/json", `{"type":1.5}`, "type: 1.5 is not a valid ClientTypeEnum"},
		{"Err/huge", "application/json", `{"type":99999999999999999999999999}`,
			"type: This field must be a whole number, such as 100."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, err := readObject(bodyRequest(test.media, test.body))
			if err == nil {
				o.text("account")
				o.clientType()
				err = o.problems.Err()
			}
			if got := fmt.Sprint(err); err != nil && !strings.Contains(got, test.want) ||
				(err == nil) != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add(`{"account":"a","secret":"b","type":100}`)
	f.Add(`{"a":{"b":[1,"\"]"]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := readObject(bodyRequest("application/json", body))
		var invalid models.ValidationError
		if err != nil && !errors.As(err, &invalid) {
			t.Errorf("%q: %v", body, err)
		}
		if err == nil && body != "" && !json.Valid([]byte(body)) {
			t.Errorf("%q was accepted", body)
		}
		if err == nil {
			o.text("account")
			o.clientType()
		}
	})
}

func TestExplain(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("context: %w", err) }
	s := &Server{errorMappings: errorMappings()}
	hiding := &Server{errorMappings: errorMappings(), config: Config{HideAccounts: true}}
	tests := []struct {
		s            *Server
		err          error
		status, code int
	}{
		{s, wrapped(wire.ErrTokenExpired), 401, wire.CodeToken},
		{s, wrapped(auth.ErrUnknownAccount), 404, wire.CodeNotFound},
		{hiding, wrapped(auth.ErrUnknownAccount), 401, wire.CodePassword},
		{s, wrapped(models.ErrUnavailable), 503, wire.CodeBusy},
		{s, wrapped(models.ValidationError{"x": {"y"}}), 400, wire.CodeValidation},
		{s, wrapped(echo.ErrMethodNotAllowed), 405, wire.CodeHTTP},
		{s, errors.New("disk on fire at 10.0.0.1"), 500, wire.CodeFault},
	}
	for _, test := range tests {
		got := test.s.toResponse(test.err)
		if got.status != test.status || got.ErrorCode != test.code {
			t.Errorf("%v: %d/%d, want %d/%d", test.err, got.status, got.ErrorCode, test.status, test.code)
		}
		if strings.Contains(fmt.Sprint(got.Msg), "10.0.0.1") {
			t.Errorf("a fault's text is shown: %v", got.Msg)
		}
	}
}

// TestForwardedHeaders: who is asking comes from the connection unless a trusted proxy tells otherwise.
func TestForwardedHeaders(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name          string
		trusted       []netip.Prefix
		remote        string
		address, kind string
	}{
		{"nobody is trusted", nil, "127.0.0.1:1", "127.0.0.1", "http"},
		{"a stranger", trusted, "192.0.2.1:1", "192.0.2.1", "http"},
		{"loopback is no proxy of itself", trusted, "127.0.0.1:1", "127.0.0.1", "http"},
		{"the proxy", trusted, "10.1.2.3:1", "203.0.113.9", "https"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, scheme := extractors(test.trusted)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.remote
			r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
			r.Header.Set("X-Forwarded-Proto", "https")
			if a, k := address(r), scheme(r); a != test.address || k != test.kind {
				t.Errorf("%s, %s, want %s, %s", a, k, test.address, test.kind)
			}
		})
	}
}

func TestMaskTokens(t *testing.T) {
	token := strings.Repeat("aB3-", 14)
	if got := maskTokens("/v1/" + token + "/x"); got != "/v1/[token]/x" {
		t.Errorf("%q", got)
	}
}
