package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// Set by the linker: make build.
var (
	version = "dev"
	commit  = "unknown"
)

// versions is what latchkey version prints.
type versions struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	SQLite  string `json:"sqlite,omitempty"`
}

func currentVersions() versions {
	v := versions{Version: version, Commit: commit, Go: runtime.Version(), SQLite: sqliteVersion()}
	if build, ok := debug.ReadBuildInfo(); ok && commit == "unknown" {
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				v.Commit = setting.Value
			}
		}
	}
	return v
}

// String returns the versions on one line.
func (v versions) String() string {
	text := fmt.Sprintf("latchkey %s, commit %s, %s", v.Version, v.Commit, v.Go)
	if v.SQLite != "" {
		text += ", SQLite " + v.SQLite
	}
	return text
}

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the versions.
func (c versionCmd) Run(std Console) error {
	if c.JSON {
		return printJSON(std.Out, currentVersions())
	}
	_, err := fmt.Fprintln(std.Out, currentVersions())
	return err
}

// versionFlag is --version.
type versionFlag bool

// BeforeReset prints the versions before anything else is looked at.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, currentVersions())
	app.Exit(exitOK)
	return nil
}
