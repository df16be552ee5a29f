package credstore

import "strings"

// Machine is one entry of a .netrc file. Its fields must not contain spaces.
type Machine struct{ Name, Login, Password string }

func (m Machine) line() string {
	return "machine " + m.Name + " login " + m.Login + " password " + m.Password + "\n"
}

// Netrc returns the text of a .netrc file with the entries of machines, which replace earlier ones
// of the same names. It keeps all else byte for byte. The entries come first, because clients stop
// reading at a "default" entry.
func Netrc(text string, machines []Machine) string {
	replaced := map[string]bool{}
	var out strings.Builder
	for _, m := range machines {
		replaced[m.Name] = true
		out.WriteString(m.line())
	}
	s := netrcScanner{rest: text}
	for dropping := false; ; {
		item := s.nextItem()
		dropping = dropping && item.isInEntry()
		if !dropping {
			out.WriteString(item.before)
		}
		if item.keyword == "" {
			return out.String()
		}
		if item.keyword == "machine" {
			dropping = replaced[strings.ToLower(strings.Trim(item.value, `"`))]
		}
		if dropping {
			s.skipLineEnd()
		} else {
			out.WriteString(item.keyword + item.between + item.value)
		}
	}
}

// netrcItem is a keyword with its value, and the text before and between them. Keyword is "" at the
// end of the file.
type netrcItem struct{ before, keyword, between, value string }

// isInEntry reports whether the item belongs to the entry that was begun before it. Unknown words
// do, such as "port".
func (i netrcItem) isInEntry() bool {
	switch i.keyword {
	case "", "machine", "default", "macdef":
		return false
	}
	return true
}

// netrcScanner splits a .netrc file into items.
type netrcScanner struct{ rest string }

func (s *netrcScanner) nextItem() (i netrcItem) {
	i.before, i.keyword = s.nextWord(true)
	switch i.keyword {
	case "macdef":
		i.value = s.macro()
	case "machine", "login", "user", "password", "account": // a value may look like a keyword
		i.between, i.value = s.nextWord(false)
	}
	return i
}

const blank = " \t\r\n"

// nextWord returns the next word and the blanks before it. A word in double quotes may contain
// blanks. Only where a keyword is expected does "#" begin a comment, which counts as blank. At the
// end of the file the word is "".
func (s *netrcScanner) nextWord(isKeyword bool) (before, word string) {
	whole := s.rest
	for {
		s.rest = strings.TrimLeft(s.rest, blank)
		if !isKeyword || !strings.HasPrefix(s.rest, "#") {
			break
		}
		_, s.rest, _ = strings.Cut(s.rest, "\n")
	}
	before = whole[:len(whole)-len(s.rest)]
	end := wordEnd(s.rest)
	word, s.rest = s.rest[:end], s.rest[end:]
	return before, word
}

// wordEnd returns where the word at the beginning of text ends. In double quotes, a backslash
// escapes the next character.
func wordEnd(text string) int {
	if !strings.HasPrefix(text, `"`) {
		if end := strings.IndexAny(text, blank); end >= 0 {
			return end
		}
		return len(text)
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// macro returns the rest of a macdef, which ends before the first empty line.
func (s *netrcScanner) macro() string {
	end := strings.Index(s.rest, "\n\n")
	if end < 0 {
		end = len(s.rest)
	}
	text := s.rest[:end]
	s.rest = s.rest[end:]
	return text
}

// skipLineEnd skips the line end after a dropped item.
func (s *netrcScanner) skipLineEnd() {
	trimmed := strings.TrimLeft(s.rest, " \t\r")
	if strings.HasPrefix(trimmed, "\n") {
		s.rest = trimmed[1:]
	}
}
