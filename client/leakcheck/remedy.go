package leakcheck

import (
	"embed"
	"strings"
)

//go:embed formats/*.txt
var formats embed.FS

// program is one whose default log contains user names. Sign is part of its Server or Via header;
// morgan has none.
type program struct{ name, sign string }

func programs() []program {
	return []program{{"varnishncsa", "varnish"}, {"nginx", "nginx"}, {"gunicorn", "gunicorn"},
		{"apache", "apache"}, {"morgan", ""}}
}

// format returns the lines of configuration by which the program's log contains no user names.
func (p program) format() string {
	text, _ := formats.ReadFile("formats/" + p.name + ".txt") // it is embedded
	return string(text)
}

// Remedy returns what to change so that the log contains no tokens, or "" if it contains none. It
// is for the program that the response names, or for each that leaks by default.
func (r Report) Remedy() string {
	if !r.Leaks() {
		return ""
	}
	text := r.formats()
	if !r.leaks("password") {
		text += "\nUntil then, send the token as the password, which this log does not contain: " +
			"anyname:TOKEN."
	}
	return text
}

func (r Report) formats() string {
	var all []string
	for _, p := range programs() {
		if p.sign != "" && strings.Contains(strings.ToLower(r.Server), p.sign) {
			return "The response came through " + r.Server + ". Change the format of its log:\n\n" +
				p.format()
		}
		all = append(all, p.name+":\n"+p.format())
	}
	return "The program that writes this log did not identify itself. Use the log format below that " +
		"belongs to it; none of them contains the user name:\n\n" + strings.Join(all, "\n")
}
