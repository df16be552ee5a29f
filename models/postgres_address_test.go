package models

import (
	"errors"
	"strings"
	"testing"
)

// TestParseAddress: a connection that others can read needs an explicit sslmode. No error shows the
// password.
func TestParseAddress(t *testing.T) {
	const invalid, insecure = "write postgres://", "allows an unencrypted connection"
	tests := []struct {
		name, address string
		encrypted     bool   // with a certificate for the server's name
		err           string // a part of the error
	}{
		{"OK/socket", "postgres:///latchkey?host=/run/postgresql", false, ""},
		{"OK/this machine", "postgres://me:secret@localhost:5433/latchkey", false, ""},
		{"OK/its address", "postgresql://me:secret@127.0.0.1,localhost:5433/l", false, ""},
		{"OK/another machine", "postgres://me:secret@db.example.com/latchkey", true, ""},
		{"OK/one of several", "postgres://me:secret@localhost,db.example.com/l", true, ""},
		{"OK/explicit", "postgres://me:secret@db.example.com/l?sslmode=disable", false, ""},
		{"OK/failover", "postgres://me:secret@a.example.com,b.example.com/l" +
			"?target_session_attrs=read-write", true, ""},
		{"Err/prefer", "postgres://me:secret@db.example.com/l?sslmode=prefer", false, insecure},
		{"Err/allow", "postgres://me:secret@localhost/l?sslmode=allow", false, insecure},
		{"Err/scheme", "mysql://me:secret@db.example.com/latchkey", false, invalid},
		{"Err/no URL", "host=db.example.com password=secret", false, invalid},
		{"Err/sslmode", "postgres://me:secret@db.example.com/l?sslmode=verify", false, "sslmode"},
		{"Err/port", "postgres://me:secret@db.example.com:x/latchkey", false, invalid},
		{"Err/control character", "postgres://me:secret@db\n.example.com/l", false, invalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config, err := parseAddress(test.address)
			if (err == nil) != (test.err == "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				if text := err.Error(); !errors.Is(err, ErrAddress) ||
					!strings.Contains(text, test.err) || strings.Contains(text, "secret") {
					t.Error(text)
				}
				return
			}
			all := []bool{config.TLSConfig != nil && !config.TLSConfig.InsecureSkipVerify}
			for _, other := range config.Fallbacks {
				all = append(all, other.TLSConfig != nil && !other.TLSConfig.InsecureSkipVerify &&
					other.TLSConfig.ServerName == other.Host)
			}
			for _, encrypted := range all {
				if encrypted != test.encrypted {
					t.Errorf("encrypted: %v", all)
				}
			}
			if name := (&postgres{config: config}).String(); strings.Contains(name, "secret") {
				t.Errorf("the name is %s", name)
			}
		})
	}
}
