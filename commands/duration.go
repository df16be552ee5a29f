package commands

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// durationMapper reads durations of flags; it accepts days, too.
type durationMapper struct{}

// Decode reads one duration.
func (durationMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("duration")
	if err != nil {
		return err
	}
	d, err := parseDuration(token.String())
	if err == nil {
		target.SetInt(int64(d))
	}
	return err
}

// PlaceHolder names the value in the help.
func (durationMapper) PlaceHolder(*kong.Flag) string { return "DURATION" }

// formatDuration writes whole days as days.
func formatDuration(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// days is the part of a duration that time.ParseDuration does not know.
var days = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// parseDuration is time.ParseDuration with days of 24 hours before the other units: 30d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	whole, rest := time.Duration(0), text
	if parts := days.FindStringSubmatch(text); parts != nil {
		n, _ := strconv.Atoi(parts[1])
		if whole, rest = time.Duration(n)*24*time.Hour, parts[2]; rest == "" {
			rest = "0"
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest != text && d < 0 {
		return 0, fmt.Errorf("%q is not a duration; write 90s, 15m, 2h, 30d or 1d12h", text)
	}
	return whole + d, nil
}
