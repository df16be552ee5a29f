package commands

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"latchkey/auth"
)

// tuneCmd is latchkey tune.
type tuneCmd struct {
	Budget time.Duration `default:"50ms" help:"Longest time that one hash may take."`
	JSON   bool          `name:"json" help:"Print JSON, one object for each choice."`
}

// tuning is a cost of hashing and what it means on this machine.
type tuning struct {
	MemoryKiB   uint32  `json:"memory_kib"`
	Passes      uint32  `json:"passes"`
	Threads     uint8   `json:"threads"`
	Millis      float64 `json:"ms"`           // of one hash
	LoginsS     float64 `json:"logins_per_s"` // with all slots at work
	MemoryMiB   uint32  `json:"memory_mib"`   // of all slots together
	Present     bool    `json:"present"`      // what the flags say now
	Recommended bool    `json:"recommended"`  // the costliest within the budget
}

// Run measures what a hash costs here and recommends the costliest that takes no longer than the
// budget. All choices are at least as costly to guess as OWASP's first.
func (t *tuneCmd) Run(c *cli, std Console) error {
	now := auth.Params{MemoryKiB: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads}
	if err := now.Check(); err != nil {
		return err
	}
	var choices []tuning
	best := -1
	for _, p := range tunings(now) {
		took := p.Measure()
		slots := auth.Slots()
		choices = append(choices, tuning{MemoryKiB: p.MemoryKiB, Passes: p.Time, Threads: p.Threads,
			Millis: float64(took.Microseconds()) / 1000, LoginsS: float64(slots) / took.Seconds(),
			MemoryMiB: p.MemoryKiB * uint32(slots) / 1024, Present: p == now})
		i := len(choices) - 1
		if took <= t.Budget && (best < 0 || cost(choices[i]) > cost(choices[best])) {
			best = i
		}
	}
	if best >= 0 {
		choices[best].Recommended = true
	}
	if t.JSON {
		for _, one := range choices {
			if err := json.NewEncoder(std.Out).Encode(one); err != nil {
				return err
			}
		}
		return nil
	}
	return t.print(std, choices, best)
}

// tunings are the present cost and those that are worth a look, from OWASP's first on.
func tunings(now auth.Params) []auth.Params {
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

// cost is what a guess costs whoever has stolen a hash, in KiB that are written.
func cost(c tuning) uint32 { return c.MemoryKiB * c.Passes }

func (t *tuneCmd) print(std Console, choices []tuning, best int) error {
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEMORY\tPASSES\tONE HASH\tLOGINS/S\tMEMORY IN ALL\t")
	for _, c := range choices {
		note := ""
		if c.Present {
			note = "now"
		}
		if c.Recommended {
			note += " recommended"
		}
		fmt.Fprintf(table, "%d KiB\t%d\t%.0f ms\t%.0f\t%d MiB\t%s\n",
			c.MemoryKiB, c.Passes, c.Millis, c.LoginsS, c.MemoryMiB, note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if best < 0 {
		_, err := fmt.Fprintf(std.Out, "\nNothing here takes %s or less: keep the default, "+
			"--argon2-memory 19456 --argon2-time 2, and expect slow logins.\n", t.Budget)
		return err
	}
	_, err := fmt.Fprintf(std.Out, "\nWithin %s: --argon2-memory %d --argon2-time %d. "+
		"A login brings an older hash up to it.\n", t.Budget, choices[best].MemoryKiB,
		choices[best].Passes)
	return err
}
