package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"latchkey/auth"
)

// setRateLimitHeaders sets the headers that say when to come again, and after a refused login how many more
// may be wrong (RFC 9110 section 10.2.3, draft-ietf-httpapi-ratelimit-headers).
func setRateLimitHeaders(h http.Header, err error, status int) {
	switch status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(wholeSeconds(retryAfter(err))))
	}
	var refusal *auth.LoginError
	if errors.As(err, &refusal) {
		h.Set("RateLimit-Policy", fmt.Sprintf(`"login";q=%d;w=%d`, refusal.Limit,
			wholeSeconds(refusal.Window)))
		h.Set("RateLimit", fmt.Sprintf(`"login";r=%d;t=%d`, refusal.Left,
			wholeSeconds(refusal.Reset)))
	}
}

// retryAfter is how long to wait after an error; 0 if it does not say.
func retryAfter(err error) time.Duration {
	var refusal *auth.LoginError
	if errors.As(err, &refusal) && refusal.Left == 0 {
		return refusal.Reset
	}
	return 0
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// humanDuration is a time to wait, rounded up.
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
