package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxCredential bounds what is read of an Authorization header, in bytes: a long account and a
// long secret fit.
const maxCredential = 4096

// BasicCredential is the user name and password of HTTP Basic (RFC 7617).
type BasicCredential struct {
	User, Password string
}

// BasicFrom reads the Authorization header of a request if it is one Basic credential; ok is
// false for anything else.
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

// parseBasic reads base64(user:password): the standard alphabet, padding as it must be or left
// out altogether, no spare bits, no blanks or line breaks.
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

// TokenFrom finds the one token that a request carries: as the Basic user name (whatever the
// password), as the Basic password (whatever the user name), as Bearer, or in the cookie named.
// It refuses a request with two Authorization headers or with two different credentials. The
// errors all wrap wire.ErrTokenInvalid.
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

// tokenFromHeader returns the token of the Authorization headers, "" when there is none.
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

// tokenFromBasic takes the slot that has a token's form.
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
