package auth

import (
	"encoding/base64"
	"strings"
	"testing"
)

func FuzzMasterKey(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString(testKey(1)) + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, why := parseMasterKey(text)
		again := base64.StdEncoding.EncodeToString(key.key[:])
		if why == "" && strings.TrimSuffix(string(text), "\n") != again {
			t.Errorf("%q is parsed as a master key", text)
		}
	})
}
