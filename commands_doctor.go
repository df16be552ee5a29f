package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/auth/doctor"
	"latchkey/docs"
)

// doctorCmd is latchkey doctor.
type doctorCmd struct {
	URL  string        `required:"" help:"Address behind the proxy; nobody needs to be let in."`
	Log  []string      `required:"" placeholder:"FILE" help:"Log of the proxy (repeatable)."`
	Wait time.Duration `default:"5s" help:"How long to wait for the requests to show in the log."`
	JSON bool          `name:"json" help:"Print JSON, one object a log."`
}

// errLeak makes the exit code 1.
var errLeak = errors.New("tokens leak into a log")

// Run examines each log and says what it found.
func (d *doctorCmd) Run(ctx context.Context, std console) error {
	leaks := false
	for _, log := range d.Log {
		report, err := doctor.Examine(ctx, d.URL, log, d.Wait)
		if err != nil {
			return fmt.Errorf("%s: %w", log, err)
		}
		leaks = leaks || report.Leaks()
		if d.JSON {
			err = json.NewEncoder(std.out).Encode(doctorJSON(log, report))
		} else {
			err = d.print(std, log, report)
		}
		if err != nil {
			return err
		}
	}
	if leaks {
		return errLeak
	}
	return nil
}

func doctorJSON(log string, r doctor.Report) any {
	type slot struct {
		Slot string `json:"slot"`
		Leak bool   `json:"leak"`
		Line string `json:"line,omitempty"`
	}
	var slots []slot
	for _, s := range r.Slots {
		slots = append(slots, slot{s.Name, s.Leak, s.Line})
	}
	return struct {
		Log    string `json:"log"`
		Server string `json:"server"`
		Slots  []slot `json:"slots"`
		Leak   bool   `json:"leak"`
		Remedy string `json:"remedy,omitempty"`
	}{log, r.Server, slots, r.Leaks(), remedy(r)}
}

func (d *doctorCmd) print(std console, log string, r doctor.Report) error {
	fmt.Fprintln(std.out, log)
	for _, s := range r.Slots {
		if s.Leak {
			fmt.Fprintf(std.out, "  token as %-10s LEAK     %s\n", s.Name, s.Line)
		} else {
			fmt.Fprintf(std.out, "  token as %-10s no leak\n", s.Name)
		}
	}
	if text := remedy(r); text != "" {
		fmt.Fprintf(std.out, "\n%s\n", text)
	}
	return nil
}

// remedy is what to change so that a log holds no tokens, "" if it holds none. What writes a log
// is known by its name, else by the form of its lines, which some share.
func remedy(r doctor.Report) string {
	if !r.Leaks() {
		return ""
	}
	server := strings.ToLower(r.Server)
	for _, name := range []string{"nginx", "gunicorn", "varnish", "apache", "caddy", "lighttpd"} {
		if !strings.Contains(server, name) {
			continue
		}
		if text, ok := docs.Block(docs.Logs, name); ok {
			return "This is " + name + ". Put there, as in docs/recipes/logs.md:\n\n" + text
		}
	}
	var all []string
	for _, name := range []string{"nginx", "gunicorn", "morgan", "varnishncsa", "apache"} {
		text, _ := docs.Block(docs.Logs, name)
		all = append(all, name+":\n"+text)
	}
	return "What writes this log did not say its name. It needs a format without the user name:\n\n" +
		strings.Join(all, "\n") +
		"\nUntil then, put the token in the password: anyname:TOKEN, if that slot does not leak."
}
