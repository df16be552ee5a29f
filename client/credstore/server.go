package credstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/client/internal/outbound"
	"latchkey/client/wire"
)

// server sends requests to Latchkey servers.
type server struct{ client *http.Client }

func newServer() server { return server{outbound.NewClient(5 * time.Second)} }

// response is the union of the responses to the requests below.
type response struct {
	ErrorCode int             `json:"error_code"`
	Msg       json.RawMessage `json:"msg"`
	Token     string          `json:"token"`
	CreateAt  int64           `json:"create_at"` // Unix seconds by the server's clock
	ExpireIn  int64           `json:"expire_in"` // Unix seconds by the server's clock
}

// statusError is a response with a status of 300 or more.
type statusError struct {
	status int
	code   int // wire.Code…; 0 if the response is not Latchkey's
	msg    string
}

// Error returns the status and the server's message.
func (e statusError) Error() string {
	return fmt.Sprintf("the server rejected the request with status %d: %s", e.status, e.msg)
}

// maxMessage bounds how much of a server's message is shown, in characters.
const maxMessage = 200

// message returns the text of the member "msg": a string, or an object from field to messages.
func message(msg json.RawMessage) string {
	var text string
	var fields map[string]any
	if json.Unmarshal(msg, &text) != nil && json.Unmarshal(msg, &fields) == nil {
		var parts []string
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			parts = append(parts, field+": "+strings.Trim(fmt.Sprint(fields[field]), "[]"))
		}
		text = strings.Join(parts, "; ")
	}
	runes := []rune(wire.Printable(text))
	return string(runes[:min(len(runes), maxMessage)])
}

// send sends a request and reads the response. A request without a body carries the login's token.
// Errors: statusError, and why the server cannot be reached.
func (s server) send(
	ctx context.Context, l Login, method, path string, body any,
) (response, error) {
	r, err := newRequest(ctx, l, method, path, body)
	if err != nil {
		return response{}, err
	}
	reply, err := s.client.Do(r)
	if err != nil {
		return response{}, outbound.Unreachable(l.URL, err)
	}
	defer reply.Body.Close() //nolint:errcheck // it was only read
	var parsed response
	if err := json.NewDecoder(io.LimitReader(reply.Body, 64<<10)).Decode(&parsed); err != nil {
		return response{}, fmt.Errorf("%s is not a Latchkey server, by its response with status %d: "+
			"check the URL", l.URL, reply.StatusCode)
	}
	if reply.StatusCode >= http.StatusMultipleChoices {
		return response{}, statusError{reply.StatusCode, parsed.ErrorCode, message(parsed.Msg)}
	}
	return parsed, nil
}

func newRequest(
	ctx context.Context, l Login, method, path string, body any,
) (*http.Request, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, l.URL+path, &text)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "latchkey")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.SetBasicAuth(l.Token, "")
	}
	return r, nil
}

// hasStatus reports whether an error is a statusError with this status.
func hasStatus(err error, status int) bool {
	var e statusError
	return errors.As(err, &e) && e.status == status
}

// logIn returns the login with a token.
func (s server) logIn(ctx context.Context, l Login, password string) (Login, error) {
	clientType := 101 // a mobile number
	if strings.Contains(l.Account, "@") {
		clientType = 100 // an e-mail address
	}
	r, err := s.send(ctx, l, http.MethodPost, "/v1/token",
		map[string]any{"account": l.Account, "secret": password, "type": clientType})
	if hasStatus(err, http.StatusUnauthorized) || hasStatus(err, http.StatusNotFound) {
		return Login{}, errors.New("the account or the password is wrong")
	}
	if err != nil {
		return Login{}, err
	}
	return s.withToken(ctx, l, r.Token)
}

// renew returns the login with a new token. Errors: ErrLoginExpired, if the server itself rejects
// the present token; all others may pass.
func (s server) renew(ctx context.Context, l Login) (Login, error) {
	r, err := s.send(ctx, l, http.MethodPost, "/v1/token/renew", nil)
	var e statusError
	if errors.As(err, &e) && (e.code == wire.CodeToken || e.code == wire.CodeScope) {
		return Login{}, ErrLoginExpired
	}
	if err != nil {
		return Login{}, err
	}
	renewed, err := s.withToken(ctx, l, r.Token)
	if err != nil && wire.IsToken(r.Token) { // the server revokes the old token soon: keep the new one
		l.Token, l.ExpiresAt, l.TriedAt = r.Token, time.Now().Unix()+l.Lifetime, 0
		return l, nil
	}
	return renewed, err
}

// withToken returns the login with a token that was issued just now. The server says how long the
// token lives; when it expires is counted by this machine's clock.
func (s server) withToken(ctx context.Context, l Login, token string) (Login, error) {
	if !wire.IsToken(token) {
		return Login{}, fmt.Errorf("%s sent no token: check the URL", l.URL)
	}
	now := time.Now().Unix()
	r, err := s.send(ctx, l, http.MethodPost, "/v1/token/secret", map[string]any{"token": token})
	if err != nil {
		return Login{}, err
	}
	l.Token, l.Lifetime = token, r.ExpireIn-r.CreateAt
	l.ExpiresAt, l.TriedAt = now+l.Lifetime, 0
	if l.Lifetime <= 0 {
		return Login{}, fmt.Errorf("%s sent a token without a lifetime: check the URL", l.URL)
	}
	return l, nil
}

// revoke revokes the login's token. A token that is invalid already is not an error.
func (s server) revoke(ctx context.Context, l Login) error {
	_, err := s.send(ctx, l, http.MethodDelete, "/v1/token", nil)
	if err == nil || hasStatus(err, http.StatusUnauthorized) {
		return nil
	}
	return fmt.Errorf("cannot log out %s: %w", l, err)
}

// rejects reports whether the server responds that the login's token is invalid.
func (s server) rejects(ctx context.Context, l Login) bool {
	_, err := s.send(ctx, l, http.MethodPost, "/v1/token/secret", map[string]any{"token": l.Token})
	return hasStatus(err, http.StatusUnauthorized)
}
