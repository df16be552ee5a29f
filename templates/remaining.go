package templates

import (
	"fmt"
	"time"
)

// remaining returns the time left in words, to the second in the last ten minutes. The script
// uses the same words (latchkey.js).
func remaining(d time.Duration) string {
	s := int64(d / time.Second)
	days, h, m := s/86400, s/3600%24, s/60%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h left", days, h)
	case h > 0:
		return fmt.Sprintf("%d h %d min left", h, m)
	case m >= 10:
		return fmt.Sprintf("%d min left", m)
	case m > 0:
		return fmt.Sprintf("%d min %d s left", m, s%60)
	default:
		return fmt.Sprintf("%d s left", s)
	}
}
