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
	"main":      {"auth", "handlers", "models"},
	"handlers":  {"auth", "docs", "models", "static", "templates"},
	"auth":      {"models"},
	"models":    {},
	"templates": {},
	"static":    {},
	"docs":      {},
}

// reserved says which packages alone may import what begins with a path.
var reserved = map[string][]string{
	"github.com/labstack/echo":        {"handlers", "auth"},
	"database/sql":                    {"models"},
	"github.com/mattn/go-sqlite3":     {"models"},
	"github.com/pressly/goose":        {"models"},
	"github.com/gorilla/securecookie": {"auth"},
	"golang.org/x/crypto":             {"auth"},
	"crypto/rand":                     {"auth"},
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

// variables finds package variables other than sentinel errors, embeds, compiled patterns and templates, and
// what the linker sets.
func (s source) variables(d *ast.GenDecl) (found []string) {
	if d.Tok != token.VAR {
		return nil
	}
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		embedded := d.Doc != nil && strings.Contains(s.commentText(d.Doc), "go:embed")
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

func (s source) commentText(g *ast.CommentGroup) (text string) {
	for _, c := range g.List {
		text += c.Text + "\n"
	}
	return text
}

func (s source) lines() (found []string) {
	lines := strings.Split(s.text, "\n")
	if len(lines) > 401 {
		found = append(found, fmt.Sprintf("%s: %d lines", s.path, len(lines)))
	}
	for n, line := range lines {
		if len([]rune(line)) > 100 {
			found = append(found, fmt.Sprintf("%s:%d: %d columns", s.path, n+1, len([]rune(line))))
		}
		for _, word := range []string{"TO" + "DO", "FIX" + "ME", "/ro" + "ot/", "/ho" + "me/"} {
			if strings.Contains(line, word) {
				found = append(found, fmt.Sprintf("%s:%d: %s", s.path, n+1, word))
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

// TestHouse holds the whole tree to the rules of the house.
func TestHouse(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if err != nil || entry.IsDir() && (name == "node_modules" || name == ".git" || name == ".cache") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		pkg := filepath.Base(filepath.Dir(path))
		if pkg == ".." {
			pkg = "main"
		}
		for _, breach := range parse(t, pkg, path, string(text)).breaches() {
			t.Error(breach)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files: %v", files, err)
	}
}

// TestHouseNotices: each rule notices its breach, so that TestHouse can fail.
func TestHouseNotices(t *testing.T) {
	for name, c := range map[string]struct{ pkg, text string }{
		"backward import": {"models", "package models\nimport _ \"latchkey/auth\""},
		"sql in handlers": {"handlers", "package handlers\nimport _ \"database/sql\""},
		"echo in models":  {"models", "package models\nimport _ \"github.com/labstack/echo/v4\""},
		"crypto in main":  {"main", "package main\nimport _ \"golang.org/x/crypto/argon2\""},
		"math/rand":       {"auth", "package auth\nimport _ \"math/rand/v2\""},
		"init":            {"auth", "package auth\nfunc init() {}"},
		"long function":   {"auth", "package auth\nfunc f() {" + strings.Repeat("\n", 61) + "}"},
		"long file":       {"auth", "package auth" + strings.Repeat("\n", 500)},
		"long line":       {"auth", "package auth // " + strings.Repeat("x", 100)},
		"no comment":      {"auth", "package auth\nfunc F() {}"},
		"variable":        {"auth", "package auth\nvar cache = map[string]int{}"},
	} {
		if len(parse(t, c.pkg, name, c.text).breaches()) == 0 {
			t.Errorf("%s is not noticed", name)
		}
	}
	fine := "package auth\nimport \"errors\"\n// ErrX says x.\nvar ErrX = errors.New(\"x\")\n// F does.\nfunc F() {}\n"
	if got := parse(t, "auth", "fine", fine).breaches(); got != nil {
		t.Errorf("a clean file is refused: %v", got)
	}
}
