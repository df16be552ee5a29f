// Package leakcheck finds out whether a proxy writes tokens into its log. It sends canaries, which
// look like tokens and open nothing, through the proxy and searches its log for them.
package leakcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNotShown means that the log does not show the requests, so that nothing can be said about it.
var ErrNotShown = errors.New("the log does not show the requests that were sent")

// Slot is one of the places in a request that can carry a token.
type Slot struct {
	Name string // "user name", "password", "Bearer" or "cookie"
	Leak bool   // whether the log contains the token
	Line string // of the log, with the token replaced; "" if there is no leak
}

// Report is the result of a check.
type Report struct {
	Slots  []Slot
	Server string // the Server and Via headers of the response; "" if there are none
}

// Leaks reports whether any slot leaks.
func (r Report) Leaks() bool {
	return slices.ContainsFunc(r.Slots, func(s Slot) bool { return s.Leak })
}

func (r Report) leaks(slot string) bool {
	return slices.ContainsFunc(r.Slots, func(s Slot) bool { return s.Leak && s.Name == slot })
}

// Check sends a request for each slot to address, a URL, and searches what is then added to a log
// file. It waits at most wait for all requests to appear, and returns two seconds after they have.
// Errors: ErrNotShown, and why the log cannot be read or the address cannot be reached.
func Check(ctx context.Context, address, log string, wait time.Duration) (Report, error) {
	return check(ctx, address, log, wait, sleep)
}

// sleepFunc waits. It returns ctx.Err() if ctx is done.
type sleepFunc func(ctx context.Context, d time.Duration) error

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func check(
	ctx context.Context, address, log string, wait time.Duration, sleep sleepFunc,
) (Report, error) {
	t, err := openTail(log)
	if err != nil {
		return Report{}, err
	}
	defer t.close()
	canaries := newCanaries()
	var report Report
	for _, c := range canaries {
		if report.Server, err = c.send(ctx, address); err != nil {
			return Report{}, err
		}
	}
	s := newSearch(patterns(canaries))
	if err := follow(ctx, t, s, canaries, wait, sleep); err != nil {
		return Report{}, err
	}
	for _, c := range canaries {
		line, leak := s.found[c.token]
		report.Slots = append(report.Slots,
			Slot{Name: c.slot, Leak: leak, Line: redact(line, c.token)})
	}
	return report, nil
}

// The times of following a log.
const (
	pollInterval = 20 * time.Millisecond
	settleTime   = 2 * time.Second
)

// follow searches what is added to a log until it has shown all requests for settleTime: a request
// may have several lines, and another program may write to the same file. Errors: ErrNotShown.
func follow(
	ctx context.Context, t *tail, s *search, canaries []canary, wait time.Duration, sleep sleepFunc,
) error {
	settled := time.Duration(0)
	for waited := time.Duration(0); ; waited += pollInterval {
		if err := t.read(s); err != nil {
			return err
		}
		shown := s.foundAll(canaries)
		if shown {
			settled += pollInterval
		}
		switch {
		case settled >= settleTime:
			return nil
		case waited >= wait && (shown || s.foundToken(canaries)):
			return nil
		case waited >= wait:
			return fmt.Errorf("%w: check that it is the log of this URL and is written at once "+
				"(nginx: no buffer=)", ErrNotShown)
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}
