package docs_test

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
)

// TestNamedTestsExist fails when a document names a test, fuzz target or benchmark that the source
// tree does not have. The Makefile may also name the first part of a name, as go test -run does.
func TestNamedTestsExist(t *testing.T) {
	tree := repository(t)
	defined := testsOf(t, tree)
	for _, name := range testName.FindAllString(readPage(t, tree, "Makefile"), -1) {
		begins := func(test string) bool { return strings.HasPrefix(test, name) }
		if !slices.ContainsFunc(defined, begins) {
			t.Errorf("Makefile: no test %s", name)
		}
	}
	for _, page := range documents(t, tree) {
		if path.Ext(page) != ".md" || page == "docs/CHANGELOG.md" { // which also names what is gone
			continue
		}
		for _, name := range testName.FindAllString(readPage(t, tree, page), -1) {
			if !slices.Contains(defined, name) {
				t.Errorf("%s: no test %s", page, name)
			}
		}
	}
}

// testsOf returns the names of all tests, fuzz targets and benchmarks, whatever their build tags.
func testsOf(t *testing.T, tree fs.FS) (names []string) {
	t.Helper()
	foreign := []string{".cache", ".git", "e2e/node_modules"}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains(foreign, name) {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(name, "_test.go") {
			for _, match := range testFunc.FindAllStringSubmatch(readPage(t, tree, name), -1) {
				names = append(names, match[1])
			}
		}
		return err
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("%d tests, %v", len(names), err)
	}
	return names
}

// TestLogFormats compares the log formats of logs.md with those that the leak check recommends.
func TestLogFormats(t *testing.T) {
	tree := repository(t)
	page := readPage(t, tree, "docs/howto/proxies/logs.md")
	formats, err := fs.Glob(tree, "client/leakcheck/formats/*.txt")
	if err != nil || len(formats) == 0 {
		t.Fatalf("%d formats, %v", len(formats), err)
	}
	for _, file := range formats {
		name := strings.TrimSuffix(path.Base(file), ".txt")
		block := regexp.MustCompile("(?ms)^```\\w+ " + name + "\n(.*?)^```$").FindStringSubmatch(page)
		switch want := readPage(t, tree, file); {
		case block == nil:
			t.Errorf("logs.md has no block %s", name)
		case block[1] != want:
			t.Errorf("logs.md, %s: %q, but %s has %q", name, block[1], file, want)
		}
	}
}

// TestErrorTexts fails when error-codes.md quotes a msg that the source does not have.
func TestErrorTexts(t *testing.T) {
	tree := repository(t)
	var source strings.Builder
	for _, pattern := range []string{"handlers/*.go", "auth/*.go", "models/*.go", "client/wire/*.go"} {
		files, err := fs.Glob(tree, pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			source.WriteString(readPage(t, tree, file))
		}
	}
	rows := regexp.MustCompile("(?m)^\\| \\d+ \\| [^|]+ \\| `([^`]+)`").FindAllStringSubmatch(
		readPage(t, tree, "docs/reference/error-codes.md"), -1)
	if len(rows) == 0 {
		t.Fatal("error-codes.md quotes no msg")
	}
	for _, row := range rows {
		if !strings.Contains(source.String(), `"`+row[1]+`"`) {
			t.Errorf("error-codes.md: no msg %q in the source", row[1])
		}
	}
}

// TestProvisionedPackages fails when CONTRIBUTING.md does not name a package that the tests need.
func TestProvisionedPackages(t *testing.T) {
	tree := repository(t)
	page := readPage(t, tree, "docs/CONTRIBUTING.md")
	packages := regexp.MustCompile(`(?s)\npackages='(.*?)'`).FindStringSubmatch(
		readPage(t, tree, "e2e/provision.sh"))
	if packages == nil {
		t.Fatal("provision.sh has no list of packages")
	}
	for _, name := range strings.Fields(packages[1]) {
		if !regexp.MustCompile(`[ \n]` + regexp.QuoteMeta(name) + `[,;:]`).MatchString(page) {
			t.Errorf("CONTRIBUTING.md does not name %s", name)
		}
	}
}

// TestDecisions fails when a decision lacks its number, a status with a date, or a section.
func TestDecisions(t *testing.T) {
	tree := repository(t)
	files, err := fs.Glob(tree, "docs/adr/0*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d decisions, %v", len(files), err)
	}
	status := regexp.MustCompile(
		`^# (\d{4}): .+\n\nStatus: (?:Accepted|Superseded by .+), \d{4}-\d\d-\d\d`)
	for _, file := range files {
		text := readPage(t, tree, file)
		head := status.FindStringSubmatch(text)
		if head == nil || !strings.HasPrefix(path.Base(file), head[1]+"-") {
			t.Errorf("%s does not begin with its number and a status", file)
		}
		for _, section := range []string{"Context", "Decision", "Consequences"} {
			if !strings.Contains(text, "\n## "+section+"\n") {
				t.Errorf("%s has no section %s", file, section)
			}
		}
	}
}

// maxColumns is the width at which prose wraps.
const maxColumns = 100

// TestColumns fails on lines of prose that are too wide. Tables, code blocks and lines of a single
// word, such as an address, may be wider.
func TestColumns(t *testing.T) {
	tree := repository(t)
	for _, page := range documents(t, tree) {
		generated := page == "docs/reference/commands.md"
		if path.Ext(page) != ".md" || generated {
			continue
		}
		text := fencedBlock.ReplaceAllStringFunc(readPage(t, tree, page), func(block string) string {
			return strings.Repeat("\n", strings.Count(block, "\n"))
		})
		for n, line := range strings.Split(text, "\n") {
			wide := utf8.RuneCountInString(line) > maxColumns
			if wide && strings.Contains(line, " ") && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d: %d columns", page, n+1, utf8.RuneCountInString(line))
			}
		}
	}
}
