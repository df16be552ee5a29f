package e2e_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file that is not a test.
type source struct {
	pkg, path string // "main" for the top folder, else the folder's name
	text      string
	file      *ast.File
	positions *token.FileSet
}

// A layering says which of our packages a package may import: the arrows go one way.
var layering = map[string][]string{
	"main":     {"auth", "auth/doctor", "auth/wallet", "docs", "handlers", "models"},
	"handlers": {"auth", "auth/guard", "auth/strength", "docs", "models", "static", "templates"},
	"auth":     {"auth/guard", "auth/strength", "models"},
	"guard":    {},
	"doctor":   {},
	"wallet":   {},
	"strength": {},
	"local":    {"auth", "auth/guard"}, // an example
	"remote":   {"auth/guard"},         // an example
	"models":   {},
	// Support of tests.
	"modelstest":   {"models", "models/postgrestest"},
	"postgrestest": {},
	"templates":    {},
	"static":       {},
	"docs":         {},
}

// reserved says which packages alone may import what begins with a path.
var reserved = map[string][]string{
	"github.com/labstack/echo":        {"handlers", "auth", "local"},
	"database/sql":                    {"models"},
	"github.com/mattn/go-sqlite3":     {"models"},
	"github.com/pressly/goose":        {"models"},
	"github.com/jackc/pgx":            {"models"},
	"github.com/gorilla/securecookie": {"auth"},
	"golang.org/x/crypto":             {"auth"},
	"crypto/rand":                     {"auth", "doctor", "guard"},
	"math/rand":                       {},
}

// breaches lists what in a file is against the rules of the house.
func (s source) breaches() []string {
	return slices.Concat(s.imports(), s.declarations(), s.lines())
}

func (s source) imports() (found []string) {
	for _, i := range s.file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if own, ok := strings.CutPrefix(path, "latchkey/"); ok && !slices.Contains(layering[s.pkg], own) {
			found = append(found, fmt.Sprintf("%s: %s must not import %s", s.path, s.pkg, own))
		}
		for prefix, allowed := range reserved {
			if strings.HasPrefix(path, prefix) && !slices.Contains(allowed, s.pkg) {
				found = append(found, fmt.Sprintf("%s: only %v may import %s", s.path, allowed, path))
			}
		}
	}
	return found
}

func (s source) declarations() (found []string) {
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			lines := s.positions.Position(d.End()).Line - s.positions.Position(d.Pos()).Line + 1
			if lines > 60 {
				found = append(found, fmt.Sprintf("%s: %s has %d lines", s.path, d.Name, lines))
			}
			if d.Name.Name == "init" && d.Recv == nil {
				found = append(found, s.path+": an init function")
			}
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && s.pkg != "main" {
				found = append(found, fmt.Sprintf("%s: %s has no comment", s.path, d.Name))
			}
		case *ast.GenDecl:
			found = append(found, s.variables(d)...)
			found = append(found, s.undocumented(d)...)
		}
	}
	return found
}

// exportedReceiver says whether a function can be called from outside.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumented finds exported types, constants and variables that neither they nor their group have a comment for.
func (s source) undocumented(d *ast.GenDecl) (found []string) {
	if s.pkg == "main" || d.Doc != nil {
		return nil
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil {
				found = append(found, fmt.Sprintf("%s: %s has no comment", s.path, spec.Name))
			}
		case *ast.ValueSpec:
			if name := spec.Names[0]; name.IsExported() && spec.Doc == nil && spec.Comment == nil {
				found = append(found, fmt.Sprintf("%s: %s has no comment", s.path, name))
			}
		}
	}
	return found
}

// variables finds package variables other than sentinel errors, embeds, compiled patterns and templates, and
// what the linker sets.
func (s source) variables(d *ast.GenDecl) (found []string) {
	if d.Tok != token.VAR {
		return nil
	}
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		embedded := d.Doc != nil && slices.ContainsFunc(d.Doc.List, isEmbed)
		for n, name := range v.Names {
			linked := s.pkg == "main" && (name.Name == "version" || name.Name == "commit")
			if embedded || linked || name.Name == "_" ||
				(n < len(v.Values) && s.constant(v.Values[n])) {
				continue
			}
			found = append(found, fmt.Sprintf("%s: package variable %s", s.path, name))
		}
	}
	return found
}

// constant says whether a variable's value is a sentinel error, a compiled pattern or compiled templates.
func (s source) constant(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	start, end := s.positions.Position(call.Fun.Pos()).Offset, s.positions.Position(call.Fun.End()).Offset
	return slices.Contains([]string{"errors.New", "fmt.Errorf", "invalid", "regexp.MustCompile", "compile"},
		s.text[start:end])
}

func isEmbed(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }

func (s source) lines() (found []string) {
	lines := strings.Split(s.text, "\n")
	if len(lines) > 401 {
		found = append(found, fmt.Sprintf("%s: %d lines", s.path, len(lines)-1))
	}
	for n, line := range lines {
		if len([]rune(line)) > 100 {
			found = append(found, fmt.Sprintf("%s:%d: %d columns", s.path, n+1, len([]rune(line))))
		}
	}
	return found
}

// leftovers finds notes of work to be done and paths of somebody's machine, in a text of any kind.
func leftovers(path, text string) (found []string) {
	for n, line := range strings.Split(text, "\n") {
		for _, word := range []string{"TO" + "DO", "FIX" + "ME", "/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/"} {
			if strings.Contains(line, word) {
				found = append(found, fmt.Sprintf("%s:%d: %s", path, n+1, word))
			}
		}
	}
	return found
}

func parse(t *testing.T, pkg, path, text string) source {
	t.Helper()
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{pkg, path, text, file, positions}
}

// tree calls visit with the path and the text of every file of the project that people write.
func tree(t *testing.T, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", ".git", ".cache", "latchkey-data"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() || !slices.Contains(written, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		visit(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// written are the kinds of files that TestHouse reads.
var written = []string{".go", ".html", ".css", ".js", ".sql", ".sh", ".md", ".yml", ".json"}

// TestHouse holds the whole tree to the rules of the house.
func TestHouse(t *testing.T) {
	files := 0
	tree(t, func(path, text string) {
		found := leftovers(path, text)
		test := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/")
		if strings.HasSuffix(path, ".go") && !test {
			files++
			pkg := filepath.Base(filepath.Dir(path))
			if pkg == ".." {
				pkg = "main"
			}
			found = append(found, parse(t, pkg, path, text).breaches()...)
		}
		for _, breach := range found {
			t.Error(breach)
		}
	})
	if files < 20 {
		t.Errorf("only %d files were looked at", files)
	}
}

// TestHouseNotices: each rule notices its breach and says so, so that TestHouse can fail.
func TestHouseNotices(t *testing.T) {
	for name, c := range map[string]struct{ pkg, text, want string }{
		"backward import": {"models", "package models\nimport _ \"latchkey/auth\"", "must not import auth"},
		"past handlers":   {"main", "package main\nimport _ \"latchkey/static\"", "must not import static"},
		"sql in handlers": {"handlers", "package handlers\nimport _ \"database/sql\"", "only [models]"},
		"echo in models":  {"models", "package models\nimport _ \"github.com/labstack/echo/v4\"", "only [handlers auth"},
		"crypto in main":  {"main", "package main\nimport _ \"golang.org/x/crypto/argon2\"", "only [auth]"},
		"math/rand":       {"auth", "package auth\nimport _ \"math/rand/v2\"", "only []"},
		"init":            {"auth", "package auth\nfunc init() {}", "an init function"},
		"long function":   {"auth", "package auth\nfunc f() {" + strings.Repeat("\n", 60) + "}", "f has 61 lines"},
		"long file":       {"auth", "package auth" + strings.Repeat("\n", 401), "401 lines"},
		"long line":       {"auth", "package auth // " + strings.Repeat("x", 85), "101 columns"},
		"bare function":   {"auth", "package auth\nfunc F() {}", "F has no comment"},
		"bare type":       {"auth", "package auth\ntype T struct{}", "T has no comment"},
		"bare constant":   {"auth", "package auth\nconst C = 1", "C has no comment"},
		"variable":        {"auth", "package auth\nvar cache = map[string]int{}", "package variable cache"},
	} {
		got := parse(t, c.pkg, name, c.text).breaches()
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %q, want one with %q", name, got, c.want)
		}
	}
	if got := leftovers("page.html", "<p>\n<!-- TO"+"DO -->\n/ho"+"me/ann"); len(got) != 2 {
		t.Errorf("leftovers: %q", got)
	}
	fine := "package auth\nimport \"errors\"\n// ErrX says x.\nvar ErrX = errors.New(\"x\")\n// F does.\nfunc F() {}\n"
	if got := parse(t, "auth", "fine", fine).breaches(); got != nil {
		t.Errorf("a clean file is refused: %v", got)
	}
}
