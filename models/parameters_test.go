package models

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestParameters: for SQLite each $n becomes ?n. Each query numbers its parameters in the order of
// their appearance.
func TestParameters(t *testing.T) {
	if got := (&sqlite{}).rebind("SELECT $2, $1"); got != "SELECT ?2, ?1" {
		t.Errorf("%q", got)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile("`[^`]*`|\"[^\"\n]*\"")
	parameter := regexp.MustCompile(`\$(\d+)`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, query := range literal.FindAllString(string(source), -1) {
			highest := 0
			for _, m := range parameter.FindAllStringSubmatch(query, -1) {
				var n int
				if _, err := fmt.Sscan(m[1], &n); err != nil || n > highest+1 {
					t.Errorf("%s: %s", file, query)
				}
				highest = max(highest, n)
			}
		}
	}
}
