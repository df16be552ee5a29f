package auth

import (
	"errors"
	"testing"
	"time"

	"latchkey/client/wire"
)

func TestTokenTimes(t *testing.T) {
	const lifetime = 7200
	tests := []struct {
		name string
		at   time.Duration // of the clock, after the time of issue
		want error
	}{
		{"OK/at once", 0, nil},
		{"OK/a second before its expiry", (lifetime - 1) * time.Second, nil},
		{"ErrTokenExpired/at its expiry", lifetime * time.Second, wire.ErrTokenExpired},
		{"ErrTokenExpired/years later", 10 * 365 * 24 * time.Hour, wire.ErrTokenExpired},
		{"OK/issued 60 s in the future", -60 * time.Second, nil},
		{"ErrTokenInvalid/61 s in the future", -61 * time.Second, wire.ErrTokenInvalid},
		{"ErrTokenInvalid/a year in the future", -365 * 24 * time.Hour, wire.ErrTokenInvalid},
	}
	frozen(t, func(t *testing.T) {
		ring, issued := testRing(1), time.Now()
		token := mustEncode(t, ring, purposeToken, identity(7, 3, lifetime))
		for _, test := range tests {
			i, err := ring.decode(purposeToken, token)
			must(t, err)
			if err := i.check(issued.Add(test.at).Unix()); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.name, err, test.want)
			}
		}
	})
}

func TestLifetime(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want int64 // 0: an error
	}{
		{0, 0}, {-time.Second, 0}, {999 * time.Millisecond, 0}, {time.Second, 1}, {2 * time.Hour, 7200},
		{maxCount * time.Second, maxCount}, {16384 * time.Second, 16380}, {24 * time.Hour, 86400},
		{180 * 24 * time.Hour, 180 * 86400}, {maxCount * time.Hour, maxCount * 3600}, {1 << 62, 0},
	}
	for _, test := range tests {
		got, err := Lifetime(test.d)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%s: %d, %v, want %d", test.d, got, err, test.want)
		}
	}
}
