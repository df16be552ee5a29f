package credstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"latchkey/client/wire"
	"net/http"
	"strings"
	"time"
)

// server asks Latchkey servers.
type server struct{ client *http.Client }

func newServer() server {
	return server{&http.Client{Timeout: 5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// response is what a server answers to the questions here, whichever it is.
type response struct {
	ErrorCode int             `json:"error_code"`
	Msg       json.RawMessage `json:"msg"`
	Token     string          `json:"token"`
	CreateAt  int64           `json:"create_at"` // Unix seconds by the server's clock
	ExpireIn  int64           `json:"expire_in"` // the same
}

// statusError is an answer that says no.
type statusError struct {
	status int
	code   int // of Latchkey's; 0: something else on the way has answered
	msg    string
}

func (r statusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", r.status, r.msg)
}

// ask sends one request and reads the answer. Errors: refusal, and what went wrong on the way.
func (s server) ask(ctx context.Context, l Login, method, path string, body any) (response, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return response{}, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, l.URL+path, &text)
	if err != nil {
		return response{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.SetBasicAuth(l.Token, "")
	}
	r.Header.Set("User-Agent", "latchkey")
	answer, err := s.client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read only
	var t response
	err = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&t)
	if err != nil {
		return response{}, fmt.Errorf("%s answered %d, not as a Latchkey server does", l.URL,
			answer.StatusCode)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return response{}, statusError{answer.StatusCode, t.ErrorCode, strings.Trim(string(t.Msg), `"`)}
	}
	return t, nil
}

// isStatus says whether an error is a refusal of one status.
func isStatus(err error, status int) bool {
	var r statusError
	return errors.As(err, &r) && r.status == status
}

// logIn fills in a login's token.
func (s server) logIn(ctx context.Context, l Login, secret string) (Login, error) {
	kind := 101 // a mobile number
	if strings.Contains(l.Account, "@") {
		kind = 100 // an e-mail address
	}
	t, err := s.ask(ctx, l, http.MethodPost, "/v1/token",
		map[string]any{"account": l.Account, "secret": secret, "type": kind})
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusNotFound) {
		return Login{}, errors.New("the account or the secret is wrong")
	}
	if err != nil {
		return Login{}, err
	}
	return s.withTimes(ctx, l, t.Token)
}

// renew is the login with a new token in place of its own. Errors: ErrEnded, and what may pass.
func (s server) renew(ctx context.Context, l Login) (Login, error) {
	t, err := s.ask(ctx, l, http.MethodPost, "/v1/token/renew", nil)
	var no statusError
	if errors.As(err, &no) && (no.code == 1002 || no.code == 1004) {
		return Login{}, ErrEnded
	}
	if err != nil {
		return Login{}, err
	}
	renewed, err := s.withTimes(ctx, l, t.Token)
	if err != nil && wire.IsToken(t.Token) { // the old token ends soon
		l.Token, l.ExpiresAt, l.TriedAt = t.Token, time.Now().Unix()+l.Lifetime, 0
		return l, nil
	}
	return renewed, err
}

// withTimes is the login with a token that was issued a moment ago. How long it lives the server
// says; when that is over is reckoned by this machine's clock.
func (s server) withTimes(ctx context.Context, l Login, token string) (Login, error) {
	if !wire.IsToken(token) {
		return Login{}, fmt.Errorf("%s sent no token", l.URL)
	}
	now := time.Now().Unix()
	t, err := s.ask(ctx, l, http.MethodPost, "/v1/token/secret", map[string]any{"token": token})
	if err != nil {
		return Login{}, err
	}
	l.Token, l.Lifetime = token, t.ExpireIn-t.CreateAt
	l.ExpiresAt, l.TriedAt = now+l.Lifetime, 0
	if l.Lifetime <= 0 {
		return Login{}, fmt.Errorf("%s sent a token without a lifetime", l.URL)
	}
	return l, nil
}

// revoke ends the login's token. One that has ended already is no error.
func (s server) revoke(ctx context.Context, l Login) error {
	_, err := s.ask(ctx, l, http.MethodDelete, "/v1/token", nil)
	if err == nil || isStatus(err, http.StatusUnauthorized) {
		return nil
	}
	return fmt.Errorf("%s was not logged out: %w", l, err)
}

// refuses says whether the server answers, and refuses the login's token.
func (s server) refuses(ctx context.Context, l Login) bool {
	_, err := s.ask(ctx, l, http.MethodPost, "/v1/token/secret", map[string]any{"token": l.Token})
	return isStatus(err, http.StatusUnauthorized)
}
