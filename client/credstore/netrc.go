package credstore

import "strings"

// Machine is one entry of a .netrc file.
type Machine struct{ Name, Login, Password string }

func (m Machine) line() string {
	return "machine " + m.Name + " login " + m.Login + " password " + m.Password + "\n"
}

// Netrc is a .netrc file's text with these machines' entries in place of earlier ones of their
// names; everything else stays as it is, byte for byte. New entries come first, because a
// "default" entry ends what clients read.
func Netrc(text string, machines []Machine) string {
	ours := map[string]bool{}
	var out strings.Builder
	for _, m := range machines {
		ours[m.Name] = true
		out.WriteString(m.line())
	}
	s := netrcScanner{rest: text}
	dropping := false
	for {
		before, word := s.next(true)
		dropping = dropping && word != "" && word != "machine" && word != "default" &&
			word != "macdef" // whatever else there is, such as "user" or "port", belongs to the entry
		if !dropping {
			out.WriteString(before)
		}
		if word == "" {
			return out.String()
		}
		var between, value string
		switch {
		case word == "macdef":
			value = s.macro()
		case word == "machine":
			between, value = s.next(false)
			dropping = ours[strings.ToLower(strings.Trim(value, `"`))]
		case takesValue(word):
			between, value = s.next(false)
		}
		if dropping {
			s.skipLineEnd()
			continue
		}
		out.WriteString(word + between + value)
	}
}

// takesValue says whether a keyword is followed by a value, which may itself look like a keyword.
func takesValue(word string) bool {
	return word == "login" || word == "user" || word == "password" || word == "account"
}

// netrcScanner reads the words of a .netrc file.
type netrcScanner struct{ rest string }

const blank = " \t\r\n"

// next is what stands before the next word, blanks and, where a keyword is due, comments, and that
// word. One in double quotes may hold blanks. At the end the word is "".
func (s *netrcScanner) next(keyword bool) (before, word string) {
	whole := s.rest
	for {
		s.rest = strings.TrimLeft(s.rest, blank)
		if !keyword || !strings.HasPrefix(s.rest, "#") {
			break
		}
		_, s.rest, _ = strings.Cut(s.rest, "\n")
	}
	before = whole[:len(whole)-len(s.rest)]
	end := strings.IndexAny(s.rest, blank)
	if strings.HasPrefix(s.rest, `"`) {
		end = quoted(s.rest)
	}
	if end < 0 {
		end = len(s.rest)
	}
	word, s.rest = s.rest[:end], s.rest[end:]
	return before, word
}

// quoted is where a word in double quotes ends, -1 for at the end of the text.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// macro is the rest of a macdef: up to the first empty line.
func (s *netrcScanner) macro() string {
	end := strings.Index(s.rest, "\n\n")
	if end < 0 {
		end = len(s.rest)
	}
	text := s.rest[:end]
	s.rest = s.rest[end:]
	return text
}

// skipLineEnd drops the line end after an entry that went.
func (s *netrcScanner) skipLineEnd() {
	trimmed := strings.TrimLeft(s.rest, " \t\r")
	if strings.HasPrefix(trimmed, "\n") {
		s.rest = trimmed[1:]
	}
}
