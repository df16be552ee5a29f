package leakcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"latchkey/client/wire"
)

// maxLine bounds how much of a line is held in memory, in bytes.
const maxLine = 64 << 10

// search is an io.Writer that looks for texts in what is written to it, in bounded memory.
type search struct {
	patterns map[string][][]byte // text → every form in which it may be written
	found    map[string]string   // text → the first line that contains it
	line     []byte              // that is being written
	overlap  int                 // length of the longest pattern, in bytes
}

func newSearch(patterns map[string][][]byte) *search {
	s := &search{patterns: patterns, found: map[string]string{}}
	for _, forms := range patterns {
		for _, form := range forms {
			s.overlap = max(s.overlap, len(form))
		}
	}
	return s
}

// patterns returns what to search for: the canaries' tokens in all forms, and their markers.
func patterns(canaries []canary) map[string][][]byte {
	p := map[string][][]byte{}
	for _, c := range canaries {
		p[c.token] = tokenForms(c.token)
		p[c.marker] = [][]byte{[]byte(c.marker)}
	}
	return p
}

// foundAll reports whether the log has shown the requests of all canaries.
func (s *search) foundAll(canaries []canary) bool {
	for _, c := range canaries {
		if _, ok := s.found[c.marker]; !ok {
			return false
		}
	}
	return true
}

// foundToken reports whether the log contains any canary's token.
func (s *search) foundToken(canaries []canary) bool {
	for _, c := range canaries {
		if _, ok := s.found[c.token]; ok {
			return true
		}
	}
	return false
}

// Write searches text, which continues what was written before. It never fails.
func (s *search) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		part := rest[:min(len(rest), maxLine)]
		if end := bytes.IndexByte(part, '\n') + 1; end > 0 {
			part = part[:end]
		}
		rest = rest[len(part):]
		unsearched := max(0, len(s.line)-s.overlap) // a form may begin in the previous part
		s.line = append(s.line, part...)
		s.searchPart(s.line[unsearched:])
		switch {
		case part[len(part)-1] == '\n':
			s.line = s.line[:0]
		case len(s.line) > maxLine:
			s.line = append(s.line[:0], s.line[len(s.line)-s.overlap:]...)
		}
	}
	return len(text), nil
}

func (s *search) searchPart(part []byte) {
	for text, forms := range s.patterns {
		if _, known := s.found[text]; known {
			continue
		}
		for _, form := range forms {
			if bytes.Contains(part, form) {
				s.found[text] = string(s.line)
				break
			}
		}
	}
}

// tokenForms returns every form in which a log may contain a token. Half of it counts too, because
// a log may cut long fields.
func tokenForms(token string) [][]byte {
	return append(encodings(token[:len(token)/2]), encodings(token[len(token)/2:])...)
}

// encodings returns a text as it is, in hexadecimal, and in base64 as part of a longer text, such
// as an Authorization header. URLs and JSON need no escapes for the characters of a token.
func encodings(text string) [][]byte {
	inHex := []byte(hex.EncodeToString([]byte(text)))
	all := [][]byte{[]byte(text), inHex, bytes.ToUpper(inHex)}
	for before := range 3 { // bytes before the text in its group of three
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		start := (before*8 + 5) / 6         // the characters before depend on the bytes before
		end := (before + len(text)) * 8 / 6 // the characters from here on depend on those after
		urlSafe := strings.NewReplacer("+", "-", "/", "_").Replace(encoded)
		all = append(all, []byte(encoded[start:end]), []byte(urlSafe[start:end]))
	}
	return all
}

// redacted replaces a token in a line that is shown.
const redacted = "[TOKEN]"

// redact returns a line of a log without the token, without control characters and not too long.
func redact(line, token string) string {
	for _, form := range tokenForms(token) {
		line = strings.ReplaceAll(line, string(form), redacted)
	}
	line = strings.ReplaceAll(line, redacted+redacted, redacted) // two halves
	line = strings.TrimRight(line, "\r\n")
	if at := strings.Index(line, redacted); len(line) > 300 && at >= 0 { // bytes
		line = "…" + line[max(0, at-100):min(len(line), at+150)] + "…"
	}
	return wire.Printable(line) // last, because the cut may have split a character
}
