//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	clientsPage  = "../docs/reference/clients.md"
	tableBegins  = "<!-- TestClients writes from here -->\n"
	tableEnds    = "<!-- to here -->\n"
	tableHeading = "| Client | Version | Password slot | User-name slot | Tampered token | No credentials |\n" +
		"|---|---|---|---|---|---|\n"
)

// comparePage compares the table in docs/reference/clients.md with the results, except the
// versions, which differ between machines. With -update it writes the table.
func (m *matrix) comparePage(t *testing.T, clients []httpClient) {
	page, err := os.ReadFile(clientsPage)
	must(t, err)
	before, rest, begins := strings.Cut(string(page), tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no marks around the table", clientsPage)
	}
	found := m.table(clients)
	if *update {
		must(t, os.WriteFile(clientsPage, []byte(before+tableBegins+found+tableEnds+after), 0o644))
		return
	}
	if withoutVersions(table) != withoutVersions(found) {
		t.Errorf("the table in docs/reference/clients.md differs from the results; "+
			"'go test -tags e2e -run TestClients ./e2e/ -update' writes it. Results:\n%s", found)
	}
}

// table returns the part of docs/reference/clients.md between the two marks.
func (m *matrix) table(clients []httpClient) string {
	table, notes := &strings.Builder{}, []string{}
	table.WriteString(tableHeading)
	mark := func(note string) string {
		if note == "" {
			return ""
		}
		for n, known := range notes {
			if known == note {
				return fmt.Sprintf("[^%d]", n+1)
			}
		}
		notes = append(notes, note)
		return fmt.Sprintf("[^%d]", len(notes))
	}
	for _, client := range clients {
		r := m.rows[client.name]
		fmt.Fprintf(table, "| %s%s | %s | %s | %s", client.name, mark(client.note), r.version, r.password,
			r.user)
		if client.needsPassword {
			table.WriteString(mark(noEmptyPassword))
		}
		fmt.Fprintf(table, " | %s | %s |\n", r.tampered, r.none)
	}
	table.WriteString("\n")
	for n, note := range notes {
		fmt.Fprintf(table, "[^%d]: %s\n", n+1, note)
	}
	return table.String()
}

// withoutVersions returns a table with an empty second column.
func withoutVersions(table string) string {
	var out strings.Builder
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 8 {
			cells[2] = ""
			line = strings.Join(cells, "|")
		}
		out.WriteString(line)
	}
	return out.String()
}
