// Scale reckons what Latchkey takes on several nodes with PostgreSQL, and simulates how the end of a
// token reaches every node. docs/scale.md says what follows from it.
//
//	go run ./docs/scale
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
	in := newInputs()
	printInputs(os.Stdout, in)
	fmt.Println("\n== As designed, in the busiest hour")
	printSizes(os.Stdout, in)
	printPlans(os.Stdout, in)
	after, what := changed()
	fmt.Println("\n== With these changes")
	for _, line := range what {
		fmt.Println("  -", line)
	}
	printPlans(os.Stdout, after)
	expiring := *after
	expiring.renewalEnds = 0
	fmt.Println("\n== And a renewal ends nothing: the token before it expires by itself")
	printSizes(os.Stdout, &expiring)
	printPlans(os.Stdout, &expiring)
	printInstallations(os.Stdout, in, after, &expiring)
	printSimulation(os.Stdout, in)
}

func printInputs(w io.Writer, in *inputs) {
	fmt.Fprintln(w, "== Measured: two shared cores, docs/scale/measure.sh and docs/reliability.md")
	for _, e := range in.measured() {
		fmt.Fprintln(w, e)
	}
	fmt.Fprintln(w, "\n== Assumed, or settings of the design")
	for _, e := range in.assumed() {
		fmt.Fprintln(w, e)
	}
}

// sizes are those of the tables.
func sizes() (users, nodes []float64) {
	return []float64{1e6, 1e8, 1e9}, []float64{10, 100, 1000}
}

// printSizes prints what does not depend on the number of nodes.
func printSizes(w io.Writer, in *inputs) {
	fmt.Fprintf(w, "\n%14s %8s %8s %8s %8s %10s %9s %9s %9s %8s %8s %8s\n", "users",
		"users GB", "tokensGB", "ended GB", "disk GB", "memory GiB", "start s", "logins/s", "ends/s",
		"checks/s", "cores to", "cores to")
	fmt.Fprintf(w, "%14s %8s %8s %8s %8s %10s %9s %9s %9s %8s %8s %8s\n",
		"", "", "", "", "", "of a node", "", "", "", "", "hash", "check")
	users, _ := sizes()
	for _, u := range users {
		b := in.bill(size{u, 1})
		fmt.Fprintf(w, "%14s %8s %8s %8s %8s %10s %9s %9s %9s %8s %8s %8s\n", short(u),
			short(u*in.userBytes/1e9), short(b.tokens*in.tokenBytes/1e9), short(b.ended*in.endingBytes/1e9),
			short(b.of("disk").used/1e9), short(b.of("node memory").used/scale("GiB")), short(b.start),
			short(b.logins), short(b.ends), short(b.checks), short(b.hashCores), short(b.checkCores))
	}
}

// printPlans prints what depends on the number of nodes, and what is full first.
func printPlans(w io.Writer, in *inputs) {
	const row = "%14s %6s %8s %8s %9s %9s %9s %8s %8s %8s  %s\n"
	fmt.Fprintf(w, "\n"+row, "users", "nodes", "checks/s", "logins/s", "commits/s", "last uses", "accounts",
		"database", "connec-", "network", "full first (share of what is there)")
	fmt.Fprintf(w, row, "", "", "a node", "a node", "", "stored/s", "read/s", "cores", "tions", "Mbit/s", "")
	users, nodes := sizes()
	for _, u := range users {
		for _, n := range nodes {
			b := in.bill(size{u, n})
			fmt.Fprintf(w, row, short(u), short(n), short(b.checks/n), short(b.logins/n), short(b.commits),
				short(b.uses), short(b.missed), short(b.of("database cores").used),
				short(b.of("connections").used), short(b.of("database network").used*8/1e6), b.first(3))
		}
	}
}

// first names the resources of which most is used.
func (b bill) first(n int) (text string) {
	for i, u := range b.resources[:n] {
		if i > 0 {
			text += ", "
		}
		text += u.what + " " + short(u.share())
	}
	return text
}

// printInstallations prints into how many parts the users must be divided.
func printInstallations(w io.Writer, plans ...*inputs) {
	fmt.Fprintln(w, `
== Separate installations so that nothing is more than 0.7 full, and the nodes of all together`)
	const row = "%14s %20s %20s %20s\n"
	fmt.Fprintf(w, row, "users", "as designed", "with the changes", "renewals end nothing")
	users, _ := sizes()
	for _, u := range users {
		cells := []any{short(u)}
		for _, in := range plans {
			parts, nodes := in.divided(u)
			cells = append(cells, short(parts)+" with "+short(nodes)+" nodes")
		}
		fmt.Fprintf(w, row, cells...)
	}
}

// runs are the simulated cases, and what each is called.
func runs(in *inputs) (cases []fanout, names []string) {
	base := fanout{poll: in.poll, hold: in.held(), trip: in.trip, jitter: in.jitter, cores: 4,
		notify: in.notifyWork, read: in.readWork, mend: 1, cut: 10, duration: 60, seed: 1}
	add := func(name string, nodes int, rate float64, change func(*fanout)) {
		f := base
		f.nodes, f.rate = nodes, rate
		if change != nil {
			change(&f)
		}
		cases, names = append(cases, f), append(names, name)
	}
	for _, nodes := range []int{10, 100, 1000} {
		add("nothing goes wrong", nodes, 2, nil)
	}
	for _, nodes := range []int{10, 100, 1000} {
		add("ends as of a million users", nodes, 22, nil)
	}
	add("ends as of seven million users", 100, 155, nil)
	add("ends as of 2.7 million users", 1000, 60, nil)
	add("the same, reading every 100 ms", 1000, 60, func(f *fanout) { f.gap = 0.1 })
	add("the same, no NOTIFY, poll 100 ms", 1000, 60, func(f *fanout) {
		f.poll, f.lost, f.notify = 0.1, 1, 0
	})
	add("1 notification in 100 lost", 100, 2, func(f *fanout) { f.lost = 0.01 })
	add("all lost", 100, 2, func(f *fanout) { f.lost = 1 })
	add("listening ends hourly, back in 1 s", 100, 2, func(f *fanout) { f.breaks = 1.0 / hour })
	add("a node cut off 10 s each hour", 100, 2, func(f *fanout) { f.cuts = 1.0 / hour })
	return cases, names
}

// printSimulation prints what was simulated and what came out.
func printSimulation(w io.Writer, in *inputs) {
	fmt.Fprintln(w, `
== Simulation: from the commit of a token's end until another node refuses it
Assumed: ends come at random; each holds the lock for its round trips and its commit; the database notifies and
answers in the order of asking on 4 cores that it has for this alone; a node reads when it is notified and at each
poll, one reading at a time; a way takes half the round trip and an exponential part more; nothing stalls: no lost
packets, no pause of a process. A node that is cut off stops hearing and asking until it is back; after 60 s it
would refuse everything. A minute each; the generator is seeded, so that the figures repeat. Milliseconds.`)
	const row = "%-38s %6s %7s %9s %9s %9s %9s %9s %9s %9s %9s %7s\n"
	fmt.Fprintf(w, "\n"+row, "", "nodes", "ends/s", "one node", "", "", "the last", "", "", "waiting", "readings",
		"4 cores")
	fmt.Fprintf(w, row, "", "", "", "p50", "p99", "max", "p50", "p99", "max", "to end, p99", "/s, node", "busy")
	cases, names := runs(in)
	for i, f := range cases {
		o := f.simulate()
		ms := func(list []float64, q float64) string { return short(quantile(list, q) * 1000) }
		fmt.Fprintf(w, row, names[i], short(float64(f.nodes)), short(f.rate), ms(o.each, 0.5), ms(o.each, 0.99),
			ms(o.each, 1), ms(o.last, 0.5), ms(o.last, 0.99), ms(o.last, 1), ms(o.waited, 0.99), short(o.reads),
			short(o.busy))
	}
}

// short writes a number with two or three significant digits, and commas.
func short(x float64) string {
	if x < 99.95 {
		text := strconv.FormatFloat(x, 'g', 2, 64)
		if x < 0.0001 && x > 0 || x >= 10 {
			text = strconv.FormatFloat(x, 'f', -1+1, 64)
		}
		return text
	}
	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
