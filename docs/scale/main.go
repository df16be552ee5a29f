// Scale reckons what Latchkey takes on several nodes with PostgreSQL, and simulates how the end of
// a token reaches every node. docs/scale.md says what follows from it.
//
//	go run ./docs/scale
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
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
	fmt.Fprintln(w, "== Measured: two shared cores, docs/scale/measure.sh and docs/explanation/reliability.md")
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

// table prints rows in columns; cells stand between bars.
func table(w io.Writer, rows []string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t)
	for _, row := range rows {
		fmt.Fprintln(t, strings.ReplaceAll(row, "|", "\t")+"\t")
	}
	_ = t.Flush() // to a terminal: nowhere to report a failure
}

// line is a row of numbers.
func line(numbers ...float64) string {
	cells := make([]string, len(numbers))
	for i, x := range numbers {
		cells[i] = short(x)
	}
	return strings.Join(cells, "|")
}

// printSizes prints what does not depend on the number of nodes.
func printSizes(w io.Writer, in *inputs) {
	rows := []string{"users|users GB|tokens GB|ended GB|disk GB|node GiB|start s|logins/s|ends/s|" +
		"checks/s|cores that hash|cores that check"}
	users, _ := sizes()
	for _, u := range users {
		b := in.bill(size{u, 1})
		rows = append(rows, line(u, u*in.userBytes/1e9, b.tokens*in.tokenBytes/1e9,
			b.ended*in.endingBytes/1e9, b.of("disk").used/1e9, b.of("node memory").used/scale("GiB"),
			b.start, b.logins, b.ends, b.checks, b.hashCores, b.checkCores))
	}
	table(w, rows)
}

// printPlans prints what depends on the number of nodes, and what is full first: as the share of it
// that is used.
func printPlans(w io.Writer, in *inputs) {
	rows := []string{"users|nodes|checks/s of a node|commits/s|last uses/s|accounts read/s|" +
		"database cores|connections|Mbit/s|full first"}
	users, nodes := sizes()
	for _, u := range users {
		for _, n := range nodes {
			b := in.bill(size{u, n})
			rows = append(rows, line(u, n, b.checks/n, b.commits, b.uses, b.missed,
				b.of("database cores").used, b.of("connections").used,
				b.of("database network").used*8/1e6)+"|"+b.first(3))
		}
	}
	table(w, rows)
}

// first names the resources of which most is used.
func (b bill) first(n int) string {
	texts := make([]string, n)
	for i, u := range b.resources[:n] {
		texts[i] = u.what + " " + short(u.share())
	}
	return strings.Join(texts, ", ")
}

// printInstallations prints into how many parts the users must be divided.
func printInstallations(w io.Writer, plans ...*inputs) {
	fmt.Fprintln(w, `
== Separate installations so that nothing is more than 0.7 full, and the nodes of all together`)
	rows := []string{"users|as designed|with the changes|renewals end nothing"}
	users, _ := sizes()
	for _, u := range users {
		cells := []string{short(u)}
		for _, in := range plans {
			parts, nodes := in.divided(u)
			cells = append(cells, short(parts)+" with "+short(nodes)+" nodes")
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	table(w, rows)
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
== Simulation: from the commit of a token's end until another node refuses it, in milliseconds
Assumed: ends come at random; each holds the lock for its round trips and its commit; the database
notifies and answers in the order of asking, on 4 cores that it has for this alone; a node reads
when it is notified and at each poll, one reading at a time; a way takes half the round trip and an
exponential part more; nothing stalls: no lost packets, no pause of a process. A node that is cut
off neither hears nor asks until it is back; after 60 s it would refuse everything. A minute each.
The generator is seeded: the figures repeat.`)
	rows := []string{"|nodes|ends/s|one node p50|p99|max|the last p50|p99|max|waiting to end p99|" +
		"readings/s of a node|cores busy"}
	cases, names := runs(in)
	for i, f := range cases {
		o := f.simulate()
		ms := func(list []float64, q float64) float64 { return quantile(list, q) * 1000 }
		rows = append(rows, names[i]+"|"+line(float64(f.nodes), f.rate,
			ms(o.each, 0.5), ms(o.each, 0.99), ms(o.each, 1),
			ms(o.last, 0.5), ms(o.last, 0.99), ms(o.last, 1), ms(o.waited, 0.99), o.reads, o.busy))
	}
	table(w, rows)
}

// short writes a number with two or three significant digits, and commas.
func short(x float64) string {
	if x < 99.95 {
		text := strconv.FormatFloat(x, 'g', 2, 64)
		if x >= 10 {
			text = strconv.FormatFloat(x, 'f', 0, 64)
		}
		return text
	}
	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
