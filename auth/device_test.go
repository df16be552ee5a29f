package auth

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"latchkey/client/wire"
)

// TestKnownDevices: while a guesser exhausts the limit of an account, its user logs in from another
// network, or from the same network with a known device. A device of another user does not help. A
// stolen device has a limit, too.
func TestKnownDevices(t *testing.T) { frozen(t, testKnownDevices) }

func testKnownDevices(t *testing.T) {
	a := newAuthority(t, Options{})
	ann, bob := register(t, a, "ann@example.com"), register(t, a, "bob@example.com")
	device := func(uid uint32) []Device {
		token, err := a.DeviceToken(uid)
		must(t, err)
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("Cookie", "latchkey-device="+token)
		return a.Devices(r, false)
	}
	withToken := httptest.NewRequest("POST", "/v1/token", nil)
	withToken.Header.Set("Authorization", "Bearer "+mustLogin(t, a, "ann@example.com").Token)
	stolen := device(ann.ID)
	time.Sleep(time.Second) // so that later devices have other ids
	exhaust(t, a, "ann@example.com", "192.0.2.1", device(bob.ID)...)
	if got := exhaust(t, a, "ann@example.com", "192.0.2.1", stolen...); got != 10 {
		t.Errorf("a stolen device has %d attempts, want 10", got)
	}
	tests := []struct {
		name, address string
		devices       []Device
		want          error
	}{
		{"OK/another network", "192.0.2.2", nil, nil},
		{"OK/device", "192.0.2.1", device(ann.ID), nil},
		{"OK/token", "192.0.2.1", a.Devices(withToken, false), nil},
		{"OK/two devices", "192.0.2.1", append(device(bob.ID), device(ann.ID)...), nil},
		{"Err/guesser", "192.0.2.1", nil, ErrTooManyAttempts},
		{"Err/another user's device", "192.0.2.1", device(bob.ID), ErrTooManyAttempts},
		{"Err/no user's device", "192.0.2.1", device(0), ErrTooManyAttempts},
		{"Err/the stolen device", "192.0.2.1", stolen, ErrTooManyAttempts},
	}
	for _, test := range tests {
		_, _, err := a.attempt(t, "ann@example.com", "secret1", test.address, test.devices...)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// TestForgedDevices: a cookie that is not valid, or has another purpose, proves nothing, and neither
// does a service token or one with a narrow scope. A device cookie is not a token.
func TestForgedDevices(t *testing.T) {
	a := newAuthority(t, Options{Scopes: []string{"read"}})
	ann := register(t, a, "ann@example.com")
	token, err := a.DeviceToken(ann.ID)
	must(t, err)
	service, err := a.IssueFor(t.Context(), IssueRequest{UID: ann.ID, TTL: time.Minute})
	must(t, err)
	narrow, err := a.IssueFor(t.Context(), IssueRequest{UID: ann.ID, Scope: "read"})
	must(t, err)
	mustReject(t, a, "a device cookie as a token", token, wire.ErrTokenInvalid)
	const last = wire.TokenLength - 1
	changed := token[:last] + "x"
	if changed == token {
		changed = token[:last] + "y"
	}
	for name, cookie := range map[string]string{
		"empty":        "latchkey-device=",
		"cut":          "latchkey-device=" + token[:last],
		"another name": "latchkey=" + token,
		"changed":      "latchkey-device=" + changed,
		"a session":    "latchkey-device=" + mustLogin(t, a, "ann@example.com").Token,
		"a service":    "latchkey=" + service.Token,
		"narrow":       "latchkey=" + narrow.Token,
	} {
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("Cookie", cookie)
		if got := a.Devices(r, false); len(got) != 0 {
			t.Errorf("%s: %v, want no device", name, got)
		}
	}
}
