package auth

import (
	"strings"
	"testing"
	"time"

	"latchkey/models"
)

// TestValidateOptions: the error names the value that is out of range, and the range.
func TestValidateOptions(t *testing.T) {
	tests := []struct {
		o    Options
		want string // "": valid
	}{
		{Options{}, ""},
		{Options{MinPassword: MaxPassword, PasswordStrength: MaxStrength, AccountAttempts: 1}, ""},
		{Options{MinPassword: -1}, "length of a password must be from 1 to 1024, not -1"},
		{Options{MinPassword: 1025}, "length of a password must be from 1 to 1024, not 1025"},
		{Options{PasswordStrength: 5}, "strength of a password must be from 0 to 4, not 5"},
		{Options{AccountAttempts: -1}, "to an account must be from 1 to 1073741824, not -1"},
		{Options{NetworkAttempts: 1 << 31}, "from a network must be from 1 to 1073741824, not 2147"},
		{Options{TokenTTL: time.Millisecond}, "must be between 1s and 16383h (682 days), not 1ms"},
		{Options{MaxTokenTTL: 1 << 62}, "must be between 1s and 16383h (682 days), not"},
		{Options{TokenTTL: 2 * time.Hour, MaxSession: time.Hour}, "at most that of a session, 1h0m0s"},
		{Options{Params: Params{MemoryKiB: 1}}, "argon2id takes 7168 to 262144 KiB"},
		{Options{Scopes: []string{"Bad@"}}, models.ErrScopeName.Error()},
	}
	for _, test := range tests {
		err := test.o.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.o, err, test.want)
		}
	}
}
