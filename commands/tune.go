//go:build !client && !windows

package commands

import (
	"fmt"
	"strings"
	"time"

	"latchkey/auth"
)

// tuneCmd is latchkey tune.
type tuneCmd struct {
	Argon2 hashingFlags `embed:"" prefix:"argon2-" group:"config"`

	Budget time.Duration `default:"50ms" help:"Maximum time of one hash."`
	JSON   bool          `name:"json" help:"Print JSON, one object for each choice."`
}

// tuning is one set of parameters and what it means on this machine.
type tuning struct {
	MemoryKiB   uint32  `json:"memory_kib"`
	Passes      uint32  `json:"passes"`
	Threads     uint8   `json:"threads"`
	Millis      float64 `json:"ms"`           // of one hash
	LoginsS     float64 `json:"logins_per_s"` // with all slots busy
	MemoryMiB   uint32  `json:"memory_mib"`   // of all slots together
	Present     bool    `json:"present"`      // what the flags say now
	Recommended bool    `json:"recommended"`  // the most expensive one within the budget
}

// Validate checks the flags before anything is measured.
func (t *tuneCmd) Validate() error { return t.Argon2.validate() }

// Run measures what a hash costs here and recommends the most expensive parameters within the
// budget. None is cheaper for an attacker than OWASP's first choice.
func (t *tuneCmd) Run(std Console) error {
	tunings, best := t.measure()
	if !t.JSON {
		return t.print(std, tunings, best)
	}
	for _, one := range tunings {
		if err := printJSON(std.Out, one); err != nil {
			return err
		}
	}
	return nil
}

// measure hashes once with each set of parameters. best is the index of the recommended one, or -1.
func (t *tuneCmd) measure() (tunings []tuning, best int) {
	present := t.Argon2.params()
	best = -1
	slots := auth.Slots()
	for i, p := range candidates(present) {
		took := p.Measure()
		tunings = append(tunings, tuning{MemoryKiB: p.MemoryKiB, Passes: p.Time, Threads: p.Threads,
			Millis: float64(took.Microseconds()) / 1000, LoginsS: float64(slots) / took.Seconds(),
			MemoryMiB: p.MemoryKiB * uint32(slots) / 1024, Present: p == present})
		if took <= t.Budget && (best < 0 || cost(tunings[i]) > cost(tunings[best])) {
			best = i
		}
	}
	if best >= 0 {
		tunings[best].Recommended = true
	}
	return tunings, best
}

// candidates are the present parameters and those worth measuring, from OWASP's first choice up.
func candidates(now auth.Params) []auth.Params {
	all := []auth.Params{now}
	for _, memory := range []uint32{19456, 32768, 47104, 65536, 98304, 131072} {
		for _, passes := range []uint32{2, 3} {
			if p := (auth.Params{MemoryKiB: memory, Time: passes, Threads: 1}); p != now {
				all = append(all, p)
			}
		}
	}
	return all
}

// cost is what one guess costs an attacker who has stolen a hash, in KiB written.
func cost(t tuning) uint32 { return t.MemoryKiB * t.Passes }

func (t *tuneCmd) print(std Console, tunings []tuning, best int) error {
	var rows table
	rows.add("MEMORY", "PASSES", "ONE HASH", "LOGINS/S", "TOTAL MEMORY", "")
	for _, one := range tunings {
		var notes []string
		if one.Present {
			notes = append(notes, "now")
		}
		if one.Recommended {
			notes = append(notes, "recommended")
		}
		rows.add(fmt.Sprintf("%d KiB", one.MemoryKiB), one.Passes, fmt.Sprintf("%.0f ms", one.Millis),
			fmt.Sprintf("%.0f", one.LoginsS), fmt.Sprintf("%d MiB", one.MemoryMiB),
			strings.Join(notes, ", "))
	}
	if err := rows.print(std.Out); err != nil {
		return err
	}
	if best < 0 {
		_, err := fmt.Fprintf(std.Out, "\nNo parameters here take %s or less. Keep the default, "+
			"--argon2-memory 19456 --argon2-time 2, and expect slow logins.\n", t.Budget)
		return err
	}
	_, err := fmt.Fprintf(std.Out, "\nWithin %s: --argon2-memory %d --argon2-time %d. "+
		"The next login of each account replaces its older hash.\n", t.Budget, tunings[best].MemoryKiB,
		tunings[best].Passes)
	return err
}
