package auth

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// Device is what a request shows of having logged in to an account before: a cookie that a login
// left there, or a token that is still valid.
type Device struct {
	uid uint32
	id  string // "" for a token: there may be any number of them
}

// DeviceTTL is how long the cookie of a device is good; browsers keep none for longer (RFC 6265bis
// section 5.5).
const DeviceTTL = 400 * 24 * time.Hour

// DeviceCookieName is the name of a device's cookie, by the rules of CookieName. It is never shared
// by a domain.
func DeviceCookieName(secure bool) string { return wire.CookieName(secure, false) + "-device" }

// DeviceToken makes the value of the cookie of a device that a user has logged in with. It lets
// nobody in.
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

// Devices is what a request shows of earlier logins. What is not valid shows nothing.
func (a *Authority) Devices(r *http.Request, secure bool) []Device {
	var devices []Device
	for _, cookie := range r.CookiesNamed(DeviceCookieName(secure)) {
		if i, err := a.checkLink(purposeDevice, cookie.Value); err == nil {
			devices = append(devices, Device{i.UID, i.TokenID.String()})
		}
	}
	if token, err := TokenFrom(r, a.CookieName(secure)); err == nil {
		if i, err := a.Verify(token); err == nil {
			devices = append(devices, Device{uid: i.UID})
		}
	}
	return devices
}

// deviceKey is what a known device tries at.
func (a *loginLimiter) deviceKey(d Device) limitKey {
	return a.limitKey(a.accounts, "device", strconv.FormatUint(uint64(d.uid), 10), d.id)
}
