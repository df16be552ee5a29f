package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"latchkey/auth"
)

// setRateLimitHeaders sets Retry-After (RFC 9110 section 10.2.3) and, after a failed login or a
// registration too many, the number of attempts that remain (draft-ietf-httpapi-ratelimit-headers).
func setRateLimitHeaders(h http.Header, err error, status int) {
	switch status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(wholeSeconds(retryAfter(err))))
	}
	var failed *auth.LoginError
	if errors.As(err, &failed) {
		policy := "login"
		if errors.Is(err, auth.ErrTooManyRegistrations) {
			policy = "registration"
		}
		h.Set("RateLimit-Policy", fmt.Sprintf(`%q;q=%d;w=%d`, policy, failed.Limit,
			wholeSeconds(failed.Window)))
		h.Set("RateLimit", fmt.Sprintf(`%q;r=%d;t=%d`, policy, failed.Left,
			wholeSeconds(failed.Reset)))
	}
}

// retryAfter returns how long to wait after an error, or 0 if the error does not say.
func retryAfter(err error) time.Duration {
	var failed *auth.LoginError
	if errors.As(err, &failed) && failed.Left == 0 {
		return failed.Reset
	}
	return 0
}

// wholeSeconds returns a duration in seconds, rounded up.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// humanDuration returns a duration in words, rounded up.
func humanDuration(d time.Duration) string {
	n, unit := wholeSeconds(d), "second"
	if n > 90 {
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}
