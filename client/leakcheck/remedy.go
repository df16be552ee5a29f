package leakcheck

import (
	"embed"
	"strings"
)

//go:embed formats/*.txt
var formats embed.FS

// programs returns the programs whose default log holds user names, and the text by which each names
// itself in the Server or Via header. morgan does not name itself.
func programs() []struct{ name, sign string } {
	return []struct{ name, sign string }{
		{"varnishncsa", "varnish"}, {"nginx", "nginx"}, {"gunicorn", "gunicorn"}, {"apache", "apache"},
		{"morgan", ""},
	}
}

// Remedy returns what to change so that the log holds no tokens, or "" if it holds none. It names
// the program that identified itself in the response; otherwise it names all that leak by default.
func (r Report) Remedy() string {
	if !r.Leaks() {
		return ""
	}
	intro := "The program that writes this log did not identify itself. " +
		"Use the log format below that belongs to it; none of them contains the user name:"
	var all []string
	for _, program := range programs() {
		format, _ := formats.ReadFile("formats/" + program.name + ".txt")
		if program.sign != "" && strings.Contains(strings.ToLower(r.Server), program.sign) {
			intro, all = "The response came through "+r.Server+". Change the format of its log:",
				[]string{string(format)}
			break
		}
		all = append(all, program.name+":\n"+string(format))
	}
	return intro + "\n\n" + strings.Join(all, "\n") +
		"\nUntil then, send the token in a slot that does not leak, such as the password: anyname:TOKEN."
}
