// Scale computes what Latchkey needs on several nodes with PostgreSQL for a million to a thousand
// million users. It prints the tables of docs/scale.md, and with -inputs the numbers that they are
// computed from.
//
//	go run ./docs/scale
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

func main() {
	inputs := flag.Bool("inputs", false, "print the inputs")
	flag.Parse()
	if *inputs {
		in := asDesigned()
		for _, e := range append(in.measured(), in.assumed()...) {
			fmt.Fprintln(os.Stdout, e)
		}
		return
	}
	for _, table := range tables() {
		fmt.Fprintln(os.Stdout, table)
	}
}

// tables returns the tables of scale.md in their order, as Markdown.
func tables() []string {
	return []string{sizesTable(asDesigned()), nodesTable(asDesigned()), nodesTable(changed()),
		sizesTable(expiring()), installationsTable(), costTable(changed())}
}

func users() []float64 { return []float64{1e6, 1e8, 1e9} }

// sizesTable shows what does not depend on the number of nodes.
func sizesTable(in *inputs) string {
	rows := [][]string{{"Users", "users, tokens, revocations: GB", "disk, GB", "node memory, GiB",
		"start, s", "logins/s", "revocations/s", "verifications/s", "cores that hash, verify"}}
	for _, u := range users() {
		p := in.plan(size{u, 1})
		rows = append(rows, []string{power(u),
			list(u*in.userBytes/1e9, p.tokens*in.tokenBytes/1e9, p.revoked*in.revocationBytes/1e9),
			short(p.of("disk").used / 1e9), short(p.of("node memory").used / scale("GiB")),
			short(p.start), short(p.logins), short(p.revocations), short(p.verified),
			list(p.hashCores, p.verifyCores)})
	}
	return markdown(rows)
}

// nodesTable shows what depends on the number of nodes, and the shares of the resources that are
// used most.
func nodesTable(in *inputs) string {
	rows := [][]string{{"Users", "Nodes", "verifications/s of a node", "writes/s", "last uses/s",
		"accounts read/s", "database cores", "connections", "Mbit/s", "used most"}}
	for _, u := range users() {
		for _, n := range []float64{10, 100, 1000} {
			p := in.plan(size{u, n})
			most := make([]string, 3)
			for i, r := range p.resources[:3] {
				most[i] = r.what + " " + short(r.share())
			}
			rows = append(rows, []string{power(u), short(n), short(p.verified / n), short(p.writes),
				short(p.uses), short(p.misses), short(p.of("database cores").used),
				short(p.of("connections").used), short(p.of("network").used * 8 / 1e6),
				strings.Join(most, ", ")})
		}
	}
	return markdown(rows)
}

// installationsTable shows into how many installations the users must be divided.
func installationsTable() string {
	rows := [][]string{{"Users", "As designed", "With changes 2 to 5 and partitions",
		"With change 1, too"}}
	for _, u := range users() {
		row := []string{power(u)}
		for _, in := range []*inputs{asDesigned(), changed(), expiring()} {
			installations, nodes := in.divide(u)
			row = append(row, short(installations)+" with "+short(nodes)+" nodes")
		}
		rows = append(rows, row)
	}
	return markdown(rows)
}

// costTable shows what to buy.
func costTable(in *inputs) string {
	rows := [][]string{{"Users", "Nodes", "their cores", "their memory, GiB", "Databases",
		"cores busy in each", "disk in each, GB", "log a day of all, TB"}}
	for _, u := range users() {
		installations, nodes := in.divide(u)
		p := in.plan(size{u / installations, nodes / installations})
		log := p.of("log").used / in.peak * day * installations
		rows = append(rows, []string{power(u), short(nodes), short(nodes * in.nodeCores),
			short(nodes * in.nodeRAM / scale("GiB")), short(installations),
			short(p.of("database cores").used), short(p.of("disk").used / 1e9), short(log / 1e12)})
	}
	return markdown(rows)
}

// markdown writes a table whose first row is the heading.
func markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

func list(numbers ...float64) string {
	texts := make([]string, len(numbers))
	for i, x := range numbers {
		texts[i] = short(x)
	}
	return strings.Join(texts, ", ")
}

// power writes a power of ten, such as 10^6.
func power(x float64) string { return fmt.Sprintf("10^%.0f", math.Log10(x)) }

// short writes a number with two or three significant digits, and commas.
func short(x float64) string {
	switch {
	case x < 9.95:
		return strconv.FormatFloat(x, 'g', 2, 64)
	case x >= 999.5:
		magnitude := 1.0
		for ; x >= 999.5; magnitude *= 10 {
			x /= 10
		}
		return commas(int64(x+0.5) * int64(magnitude))
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

func commas(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
