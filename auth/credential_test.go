package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"latchkey/client/wire"
)

func FuzzBasic(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString([]byte("user:pass")))
	f.Add("dTpw\r\n")
	f.Add("====")
	f.Fuzz(func(t *testing.T, encoded string) {
		c, ok := parseBasic(encoded)
		if !ok {
			return
		}
		again := base64.RawStdEncoding.EncodeToString([]byte(c.User + ":" + c.Password))
		if strings.TrimRight(encoded, "=") != again || strings.Contains(c.User, ":") {
			t.Errorf("%q is parsed as %q", encoded, c)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("Basic dTpw")
	f.Add("bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		token, err := tokenFromHeader([]string{header})
		if err != nil && !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%q: %v", header, err)
		}
		if err == nil && token == "" {
			t.Errorf("%q yields an empty token", header)
		}
	})
}
