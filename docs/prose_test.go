package docs_test

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
)

// TestNamedTestsExist fails when a document names a test, fuzz target or benchmark that the source
// tree does not have.
func TestNamedTestsExist(t *testing.T) {
	tree := repository(t)
	defined := testsOf(t, tree)
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
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(name, ".c")) {
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
