package models

import (
	"errors"
	"strings"
	"testing"
)

// TestParseAddress: a connection that others could read is only made when it is asked for by name.
func TestParseAddress(t *testing.T) {
	tests := []struct {
		name, address string
		encrypted     bool   // with a certificate of the server's name
		err           string // "" for none
	}{
		{"OK/socket", "postgres:///latchkey?host=/run/postgresql", false, ""},
		{"OK/this machine", "postgres://me:secret@localhost:5433/latchkey", false, ""},
		{"OK/its address", "postgresql://me:secret@127.0.0.1,localhost:5433/latchkey", false, ""},
		{"OK/another machine", "postgres://me:secret@db.example.com/latchkey", true, ""},
		{"OK/one of several", "postgres://me:secret@localhost,db.example.com/latchkey", true, ""},
		{"OK/by name", "postgres://me:secret@db.example.com/latchkey?sslmode=disable", false, ""},
		{"OK/failover", "postgres://me:secret@a.example.com,b.example.com/l?target_session_attrs=read-write", true, ""},
		{"Err/perhaps", "postgres://me:secret@db.example.com/latchkey?sslmode=prefer", false, "allows an unencrypted"},
		{"Err/allow", "postgres://me:secret@localhost/latchkey?sslmode=allow", false, "allows an unencrypted"},
		{"Err/scheme", "mysql://me:secret@db.example.com/latchkey", false, "write postgres://"},
		{"Err/words", "host=db.example.com password=secret", false, "write postgres://"},
		{"Err/no mode", "postgres://me:secret@db.example.com/latchkey?sslmode=verify", false, "sslmode"},
		{"Err/port", "postgres://me:secret@db.example.com:x/latchkey", false, "write postgres://"},
		{"Err/control character", "postgres://me:secret@db\n.example.com/latchkey", false, "write postgres://"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config, err := parseAddress(test.address)
			if err == nil != (test.err == "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				if text := err.Error(); !errors.Is(err, ErrAddress) || !strings.Contains(text, test.err) ||
					strings.Contains(text, "secret") {
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
				t.Errorf("named %s", name)
			}
		})
	}
}
