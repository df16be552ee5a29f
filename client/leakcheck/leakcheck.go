// Package leakcheck finds out whether a proxy writes tokens into its log: it sends canaries, which
// have the form of tokens and are none, through the proxy and looks for them in the log.
package leakcheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// ErrNotShown says that a log does not show the requests that were made: nothing can be said.
var ErrNotShown = errors.New("this log does not show the requests that were sent")

// Slot is one of the places in a request where a token can be.
type Slot struct {
	Name string // "user name", "password", "Bearer" or "cookie"
	Leak bool   // the log holds the token
	Line string // of the log, with the token replaced; "" without a leak
}

// Report is what a doctor found.
type Report struct {
	Slots  []Slot
	Server string // what the proxy and those behind it call themselves, or ""
}

// Leaks says whether any slot leaks.
func (r Report) Leaks() bool {
	for _, s := range r.Slots {
		if s.Leak {
			return true
		}
	}
	return false
}

// canary is one request: a token for one slot, and a marker by which its log line is known.
type canary struct {
	slot, token, marker string
}

func slots() []string { return []string{"user name", "password", "Bearer", "cookie"} }

// redacted stands for a canary in a line that is shown.
const redacted = "[TOKEN]"

// Check sends a request for each slot to an address and looks for its token in what is added to
// a log meanwhile, waiting at most so long for all requests to show. Errors: ErrNotShown, and a
// log or an address that cannot be read or reached.
func Check(ctx context.Context, address, log string, wait time.Duration) (Report, error) {
	tail, err := openTail(log)
	if err != nil {
		return Report{}, err
	}
	defer tail.close()
	canaries := newCanaries()
	report := Report{}
	wanted := map[string][][]byte{}
	for _, c := range canaries {
		server, err := c.send(ctx, address)
		if err != nil {
			return Report{}, err
		}
		report.Server = server
		wanted[c.token] = forms(c.token)
		wanted[c.marker] = [][]byte{[]byte(c.marker)}
	}
	s := newSearch(wanted)
	if err := tail.follow(ctx, s, canaries, wait); err != nil {
		return Report{}, err
	}
	for _, c := range canaries {
		line, leak := s.found[c.token]
		report.Slots = append(report.Slots, Slot{Name: c.slot, Leak: leak, Line: redact(line, c.token)})
	}
	return report, nil
}

// newCanaries makes a canary for each slot.
func newCanaries() (canaries []canary) {
	for _, slot := range slots() {
		canaries = append(canaries, canary{slot, "MT" + random(27), "doctor" + random(8)})
	}
	return canaries
}

// random is so many random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // cannot fail since Go 1.24
	return hex.EncodeToString(b)
}

// send makes the canary's request and returns what the servers call themselves.
func (c canary) send(ctx context.Context, address string) (server string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return "", fmt.Errorf("%q is no address", address)
	}
	query := u.Query()
	query.Set("latchkey-doctor", c.marker)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("User-Agent", "latchkey-doctor "+c.marker)
	switch c.slot {
	case "user name":
		r.SetBasicAuth(c.token, "")
	case "password":
		r.SetBasicAuth("anyname", c.token)
	case "Bearer":
		r.Header.Set("Authorization", "Bearer "+c.token)
	case "cookie":
		r.Header.Set("Cookie", "latchkey="+c.token+"; __Host-latchkey="+c.token+
			"; latchkey-domain="+c.token+"; __Secure-latchkey="+c.token)
	}
	client := &http.Client{Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	server = strings.TrimSpace(answer.Header.Get("Server") + " " + answer.Header.Get("Via"))
	return server, errors.Join(err, answer.Body.Close())
}

// redact is a line as it may be shown: without the token, in whatever form, and not too long.
func redact(line, token string) string {
	for _, form := range forms(token) {
		line = strings.ReplaceAll(line, string(form), redacted)
	}
	line = strings.ReplaceAll(line, redacted+redacted, redacted)
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(line, "\r\n"))
	if at := strings.Index(line, redacted); len(line) > 300 && at >= 0 {
		line = "…" + line[max(0, at-100):min(len(line), at+150)] + "…"
	}
	return line
}

// tail reads what is added to a file, also after it was rotated or cut.
type tail struct {
	path string
	file *os.File
	at   int64  // where to read on
	last []byte // what stands just before, by which it is known that the file was not cut
}

// overlap is how much of what was read a tail knows again, in bytes.
const overlap = 256

// openTail opens a log at its end.
func openTail(path string) (*tail, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: let the proxy log to one for the time being",
			path)
	}
	f, err := os.Open(path) //nolint:gosec // the user names the log
	if err != nil {
		return nil, err
	}
	t := &tail{path: path, file: f, at: max(0, info.Size()-overlap)}
	if err := t.on(io.Discard); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func (t *tail) close() { _ = t.file.Close() } // it was read only

// follow feeds a search until every canary's request has shown, and a moment longer, because one
// request may have several lines. Errors: ErrNotShown.
func (t *tail) follow(ctx context.Context, s *search, canaries []canary, wait time.Duration) error {
	const often = 20 * time.Millisecond
	patience := time.NewTimer(wait)
	defer patience.Stop()
	tick := time.NewTicker(often)
	defer tick.Stop()
	const longer = 100 // ticks: another log in the same file may be slower
	for left := longer; left > 0; {
		if err := t.read(s); err != nil {
			return err
		}
		if shown(s, canaries) {
			left--
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			if shown(s, canaries) || leaked(s, canaries) {
				return nil
			}
			return fmt.Errorf("%w: is it the log of this address, and written at once "+
				"(nginx: no buffer=)?", ErrNotShown)
		}
	}
	return nil
}

func shown(s *search, canaries []canary) bool {
	for _, c := range canaries {
		if _, ok := s.found[c.marker]; !ok {
			return false
		}
	}
	return true
}

// leaked says whether any token was found: then the log says enough, with or without markers.
func leaked(s *search, canaries []canary) bool {
	for _, c := range canaries {
		if _, ok := s.found[c.token]; ok {
			return true
		}
	}
	return false
}

// read feeds what was added since the last time. A file that has been put in the old one's place,
// or cut, is read from its beginning.
func (t *tail) read(s *search) error {
	if t.cut() {
		t.at, t.last = 0, nil
	}
	if err := t.on(s); err != nil {
		return err
	}
	now, err := os.Stat(t.path)
	if errors.Is(err, os.ErrNotExist) { // between two names: look again later
		return nil
	}
	if err != nil {
		return err
	}
	old, err := t.file.Stat()
	if err != nil || os.SameFile(old, now) {
		return err
	}
	f, err := os.Open(t.path)
	if err != nil {
		return err
	}
	t.close()
	t.file, t.at, t.last = f, 0, nil
	return t.on(s)
}

// cut says whether what was read last is no longer there.
func (t *tail) cut() bool {
	there := make([]byte, len(t.last))
	n, _ := t.file.ReadAt(there, t.at-int64(len(there))) // fewer bytes are an answer, too
	return n < len(there) || !bytes.Equal(there, t.last)
}

// on feeds what stands from here on.
func (t *tail) on(to io.Writer) error {
	n, err := io.Copy(to, io.NewSectionReader(t.file, t.at, math.MaxInt64-t.at))
	if err != nil {
		return err
	}
	t.at += n
	t.last = make([]byte, min(overlap, t.at))
	_, err = t.file.ReadAt(t.last, t.at-int64(len(t.last)))
	return err
}
