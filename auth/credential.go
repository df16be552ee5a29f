package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxCredential is the maximum length of Basic credentials in bytes, which is enough for the
// longest account and password.
const maxCredential = 4096

// BasicCredential is the user name and password of HTTP Basic (RFC 7617).
type BasicCredential struct {
	User, Password string
}

// BasicFrom returns the Basic credentials of a request. ok is false if it has not exactly one
// Authorization header, or another scheme, or malformed credentials.
func BasicFrom(r *http.Request) (c BasicCredential, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return BasicCredential{}, false
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "basic") {
		return BasicCredential{}, false
	}
	return parseBasic(rest)
}

// parseBasic parses base64(user:password) in the standard alphabet, with or without padding. It
// rejects spare bits, spaces and line breaks.
func parseBasic(encoded string) (c BasicCredential, ok bool) {
	if len(encoded) > maxCredential || strings.ContainsAny(encoded, "\r\n") {
		return BasicCredential{}, false
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(encoded, "=") {
		encoding = base64.StdEncoding
	}
	raw, err := encoding.Strict().DecodeString(encoded)
	if err != nil {
		return BasicCredential{}, false
	}
	c.User, c.Password, ok = strings.Cut(string(raw), ":")
	return c, ok
}

// TokenFrom returns the token of a request: the Basic user name or password that has the form of a
// token, the Bearer token, or the value of the cookie. It rejects a request with two Authorization
// headers or two different credentials. All errors wrap wire.ErrTokenInvalid.
func TokenFrom(r *http.Request, cookieName string) (string, error) {
	token, err := tokenFromHeader(r.Header.Values("Authorization"))
	if err != nil {
		return "", err
	}
	for _, cookie := range r.CookiesNamed(cookieName) {
		switch {
		case cookie.Value == "":
		case token == "":
			token = cookie.Value
		case token != cookie.Value:
			return "", errAmbiguous
		}
	}
	if token == "" {
		return "", errNoCredentials
	}
	return token, nil
}

// tokenFromHeader returns the token in the Authorization header, or "" without a header.
func tokenFromHeader(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", errAmbiguous
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, "bearer"):
		if rest == "" {
			return "", errHeader
		}
		return rest, nil
	case strings.EqualFold(scheme, "basic"):
		c, ok := parseBasic(rest)
		if !ok {
			return "", errHeader
		}
		return tokenFromBasic(c)
	}
	return "", errScheme
}

// tokenFromBasic returns the user name or the password: the one that has the form of a token.
func tokenFromBasic(c BasicCredential) (string, error) {
	inUser, inPassword := checkForm(c.User) == nil, checkForm(c.Password) == nil
	switch {
	case inUser && inPassword && c.User != c.Password:
		return "", errAmbiguous
	case inUser:
		return c.User, nil
	case inPassword:
		return c.Password, nil
	}
	return "", errNoToken
}
