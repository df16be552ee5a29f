package commands

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"latchkey/client/leakcheck"
)

// doctorCmd is latchkey doctor, the leak check.
type doctorCmd struct {
	URL  string        `required:"" help:"URL of a service behind the proxy."`
	Log  []string      `required:"" placeholder:"FILE" help:"Log of the proxy (repeatable)."`
	Wait time.Duration `default:"5s" help:"How long to wait for the requests to appear in the log."`
	JSON bool          `name:"json" help:"Print JSON, one object a log."`
}

// Validate checks the command line before anything is sent.
func (d *doctorCmd) Validate() error {
	u, err := url.Parse(d.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url is the URL of a service, such as https://app.example.com/, not %q",
			d.URL)
	}
	return nil
}

// errLeaks makes the exit code 1.
var errLeaks = errors.New("tokens leak into a log: change its format as shown")

// Run checks each log and reports what it contains.
func (d *doctorCmd) Run(ctx context.Context, std Console) error {
	leaks := false
	for _, log := range d.Log {
		report, err := leakcheck.Check(ctx, d.URL, log, d.Wait)
		if err != nil {
			return fmt.Errorf("%s: %w", log, err)
		}
		leaks = leaks || report.Leaks()
		if d.JSON {
			err = printJSON(std.Out, reportJSON(log, report))
		} else {
			printReport(std, log, report)
		}
		if err != nil {
			return err
		}
	}
	if leaks {
		return errLeaks
	}
	return nil
}

func reportJSON(log string, r leakcheck.Report) any {
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
	}{log, r.Server, slots, r.Leaks(), r.Remedy()}
}

func printReport(std Console, log string, r leakcheck.Report) {
	fmt.Fprintln(std.Out, log)
	for _, s := range r.Slots {
		if s.Leak {
			fmt.Fprintf(std.Out, "  token as %-10s LEAK     %s\n", s.Name, s.Line)
		} else {
			fmt.Fprintf(std.Out, "  token as %-10s no leak\n", s.Name)
		}
	}
	if text := r.Remedy(); text != "" {
		fmt.Fprintf(std.Out, "\n%s\n", text)
	}
}
