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

// Device is proof that a client has logged in to an account before: the cookie of an earlier login,
// or a valid token.
type Device struct {
	uid uint32
	id  string // "" for a token, so that all tokens of a user share one limit
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

// Devices returns the known devices that a request proves to be. Invalid proofs are ignored.
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

// deviceKey returns the limit key of a known device.
func (a *loginLimiter) deviceKey(d Device) limitKey {
	return a.limitKey(a.accounts, "device", strconv.FormatUint(uint64(d.uid), 10), d.id)
}
