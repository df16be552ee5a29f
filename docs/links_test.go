package docs_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLinks fails on every dead link in README.md and docs/, and on every document that nobody
// reaches from docs/README.md.
func TestLinks(t *testing.T) {
	for _, problem := range checkLinks(t, repository(t)) {
		t.Error(problem)
	}
}

// TestLinksFindsFaults shows that each kind of fault is found.
func TestLinksFindsFaults(t *testing.T) {
	got := checkLinks(t, fstest.MapFS{
		"README.md": {Data: []byte("[docs](docs/README.md) [gone](docs/gone.md) `[code](no.md)`")},
		"docs/README.md": {Data: []byte("# Docs\n[a](a.md#here) [b](a.md#there) [up](../README.md)\n" +
			"```sh\n# There\n[code](no.md)\n```\n[self](#docs) [self](#doc) [out](https://example.com/)")},
		"docs/a.md":            {Data: []byte("## Here")},
		"docs/orphan.md":       {Data: []byte("[a](a.md)")},
		"docs/howto/unit.conf": {},
		"docs/a_test.go":       {},
	})
	want := []string{
		"README.md: no file docs/gone.md",
		"docs/README.md: no heading #doc in docs/README.md",
		"docs/README.md: no heading #there in docs/a.md",
		"docs/howto/unit.conf: not reachable from docs/README.md",
		"docs/orphan.md: not reachable from docs/README.md",
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// repository returns the root of the source tree.
func repository(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS(filepath.Dir(repositoryFile(t, "go.mod")))
}

// documents returns the paths of README.md and of all files in docs/ that are not programs.
func documents(t *testing.T, tree fs.FS) []string {
	t.Helper()
	found := []string{"README.md"}
	err := fs.WalkDir(tree, "docs", func(name string, entry fs.DirEntry, err error) error {
		program := slices.Contains([]string{".go", ".sh", ".sql"}, path.Ext(name))
		if err == nil && !entry.IsDir() && !program {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checkLinks returns a sentence for each dead link and each orphan.
func checkLinks(t *testing.T, tree fs.FS) (problems []string) {
	t.Helper()
	pages := documents(t, tree)
	links := map[string][]string{} // page to the files it links to
	for _, page := range pages {
		if path.Ext(page) != ".md" {
			continue
		}
		for _, link := range linksOf(readPage(t, tree, page)) {
			file, problem := resolve(t, tree, page, link)
			if problem != "" {
				problems = append(problems, page+": "+problem)
			}
			links[page] = append(links[page], file)
		}
	}
	reached := reachable(links, "docs/README.md")
	for _, page := range pages {
		if !reached[page] {
			problems = append(problems, page+": not reachable from docs/README.md")
		}
	}
	return problems
}

// resolve returns the file that a link of a page leads to, and what is wrong with it, or "".
func resolve(t *testing.T, tree fs.FS, page, link string) (file, problem string) {
	t.Helper()
	name, anchor, _ := strings.Cut(link, "#")
	file = page
	if name != "" {
		file = path.Join(path.Dir(page), name)
	}
	if _, err := fs.Stat(tree, file); err != nil {
		return file, "no file " + file
	}
	if anchor != "" && !slices.Contains(anchorsOf(readPage(t, tree, file)), anchor) {
		return file, "no heading #" + anchor + " in " + file
	}
	return file, ""
}

// reachable returns the pages that following links from start leads to.
func reachable(links map[string][]string, start string) map[string]bool {
	seen, next := map[string]bool{start: true}, []string{start}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		for _, file := range links[page] {
			if !seen[file] {
				seen[file] = true
				next = append(next, file)
			}
		}
	}
	return seen
}

func readPage(t *testing.T, tree fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fencedBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inlineCode  = regexp.MustCompile("`[^`]*`")
	inlineLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// linksOf returns the targets of a page's links, those within the repository.
func linksOf(text string) (targets []string) {
	text = inlineCode.ReplaceAllString(fencedBlock.ReplaceAllString(text, ""), "")
	for _, match := range inlineLink.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(match[1], "://") {
			targets = append(targets, match[1])
		}
	}
	return targets
}

// anchorsOf returns the anchors of a page's headings, as GitHub makes them.
func anchorsOf(text string) []string {
	anchors := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fencedBlock.ReplaceAllString(text, ""), -1) {
		words := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		words = notInAnchor.ReplaceAllString(strings.ToLower(words), "")
		anchor := strings.ReplaceAll(strings.TrimSpace(words), " ", "-")
		if n := anchors[anchor]; n > 0 {
			anchors[fmt.Sprintf("%s-%d", anchor, n)]++
		}
		anchors[anchor]++
	}
	return slices.Collect(maps.Keys(anchors))
}
