package auth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// Device is proof that a client has logged in to an account before: the cookie of an earlier login,
// or the token of a session.
type Device struct {
	uid uint32
	id  string // of the cookie, or of the session, so that all tokens of a session share one limit
}

// DeviceTTL is the lifetime of a device cookie, the maximum in browsers (RFC 6265bis section 5.5).
const DeviceTTL = 400 * 24 * time.Hour

// DeviceCookieName returns the name of the device cookie for https (secure) or plain http. Hosts of
// a domain never share it.
func DeviceCookieName(secure bool) string { return wire.CookieName(secure, false) + "-device" }

// DeviceToken returns the value of the device cookie for a user who has logged in. It is not a
// credential.
func (a *Authority) DeviceToken(uid uint32) (string, error) {
	var random [2]byte
	rand.Read(random[:]) // cannot fail since Go 1.24
	serial := binary.BigEndian.Uint16(random[:]) & models.MaxSerial
	for {
		id := models.TokenID{UID: uid, IssuedAt: time.Now().Unix(), Serial: serial}
		token, err := a.signLink(purposeDevice, models.UserScope, DeviceTTL, id)
		if !errors.Is(err, errTick) {
			return token, err
		}
	}
}

// Devices returns the known devices that a request proves to be. Invalid proofs are ignored, and so
// are service tokens and narrow ones: whoever holds one has not logged in.
func (a *Authority) Devices(r *http.Request, secure bool) []Device {
	var devices []Device
	for _, cookie := range r.CookiesNamed(DeviceCookieName(secure)) {
		if i, err := a.checkLink(purposeDevice, cookie.Value); err == nil {
			devices = append(devices, Device{i.UID, i.TokenID.String()})
		}
	}
	if token, err := TokenFrom(r, a.CookieName(secure)); err == nil {
		if i, err := a.Verify(token); err == nil && i.Scope.Includes(models.UserScope) {
			if session, err := a.session(r.Context(), i); err == nil { // the login reports faults
				devices = append(devices, session)
			}
		}
	}
	return devices
}

// session returns the session of a login token as a known device. It consists of one login and all
// renewals of its token, so that renewing gives no more attempts, and a token that was stolen
// elsewhere uses up none of them. Errors: those of loginToken.
func (a *Authority) session(ctx context.Context, i Identity) (Device, error) {
	t, err := a.loginToken(ctx, i)
	return Device{i.UID, "session " + strconv.FormatInt(t.LoginAt, 10)}, err
}

// deviceKey returns the limit key of a known device.
func (a *loginLimiter) deviceKey(d Device) limitKey {
	return a.limitKey(a.accounts, "device", strconv.FormatUint(uint64(d.uid), 10), d.id)
}
