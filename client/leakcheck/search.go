package leakcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// maxLine bounds how much of a line is held in memory, in bytes.
const maxLine = 64 << 10

// search looks for texts in what it is fed, line by line, in bounded memory.
type search struct {
	wanted map[string][][]byte // by name: every form in which the text may be written
	found  map[string]string   // by name: the first line that holds it
	line   []byte
	reach  int // length of the longest form
}

func newSearch(wanted map[string][][]byte) *search {
	s := &search{wanted: wanted, found: map[string]string{}}
	for _, forms := range wanted {
		for _, form := range forms {
			s.reach = max(s.reach, len(form))
		}
	}
	return s
}

// Write takes in some more. It never fails.
func (s *search) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		part := rest[:min(len(rest), maxLine)]
		if end > 0 && end <= len(part) {
			part = rest[:end]
		}
		rest = rest[len(part):]
		begin := max(0, len(s.line)-s.reach)
		s.line = append(s.line, part...)
		s.look(s.line[begin:])
		switch {
		case part[len(part)-1] == '\n':
			s.line = s.line[:0]
		case len(s.line) > maxLine: // what a form may begin with is kept
			s.line = append(s.line[:0], s.line[len(s.line)-s.reach:]...)
		}
	}
	return len(text), nil
}

// look notes which texts are in the part of the line that was not looked at yet.
func (s *search) look(part []byte) {
	for name, forms := range s.wanted {
		if _, known := s.found[name]; known {
			continue
		}
		for _, form := range forms {
			if bytes.Contains(part, form) {
				s.found[name] = string(s.line)
				break
			}
		}
	}
}

// forms is every way in which a log may write a token, or one half of it, if it cuts what it
// writes: see formsOf.
func forms(token string) [][]byte {
	return append(formsOf(token[:len(token)/2]), formsOf(token[len(token)/2:])...)
}

// formsOf is a text as it is, in hexadecimal, and in base64 wherever it begins in what was encoded,
// as in an Authorization header written whole. The characters of a token need no escapes in URLs
// or JSON.
func formsOf(token string) [][]byte {
	all := [][]byte{[]byte(token), []byte(hex.EncodeToString([]byte(token))),
		bytes.ToUpper([]byte(hex.EncodeToString([]byte(token))))}
	for before := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, before), token...))
		from := (before*8 + 5) / 6          // characters that depend on what stands before
		to := (before + len(token)) * 8 / 6 // and from here on, on what stands behind
		for _, spelt := range []string{text, strings.NewReplacer("+", "-", "/", "_").Replace(text)} {
			all = append(all, []byte(spelt[from:to]))
		}
	}
	return all
}
