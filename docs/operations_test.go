package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestOperations makes every operation of openapi.json succeed once and fail where it must, and
// compares each request and response with the document.
func TestOperations(t *testing.T) {
	const account, adminPassword = "admin@example.com", "correct horse battery"
	w := walk{loadSpec(t), newServer(t, account, adminPassword, "Admin")}
	w.open(t)
	w.requireGuarded(t, "", 401, "")
	admin := w.login(t, account, adminPassword)
	w.register(t, "alice@example.com", "Alice")
	w.register(t, "bob@example.com", "Bob")
	alice, bob := w.login(t, "alice@example.com", password), w.login(t, "bob@example.com", password)
	w.requireGuarded(t, alice, 403, "Administration")
	w.carry(t, alice)
	w.program(t, bob)
	w.renew(t, bob)
	w.list(t, alice)
	w.revokeMany(t)
	w.change(t)
	w.search(t, admin)
	w.administer(t, admin)
	w.reset(t, admin)
	w.remove(t, admin)
	for path, item := range w.spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !w.spec.exercised[operation.OperationID] {
				t.Errorf("%s %s has not succeeded", method, path)
			}
		}
	}
}

// TestRoutes compares the server's table of routes with the operations of openapi.json.
func TestRoutes(t *testing.T) {
	table, err := os.ReadFile(repositoryFile(t, "handlers/routes.go"))
	if err != nil {
		t.Fatal(err)
	}
	doc := loadSpec(t).doc
	var described, routed []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	row := regexp.MustCompile(`(?m)^\t\t\{(get|post|put|del), "?([^",]+)"?, `)
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, found := range row.FindAllStringSubmatch(string(table), -1) {
		path := parameter.ReplaceAllString(found[2], "{$1}")
		if path == "wire.VerifyPath" {
			path = "/v1/verify"
		}
		if strings.HasPrefix(path, "/v1/") || doc.Paths.Value(path) != nil {
			method := strings.ToUpper(strings.Replace(found[1], "del", "delete", 1))
			routed = append(routed, method+" "+path)
		}
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described\n%s\nrouted\n%s",
			strings.Join(described, "\n"), strings.Join(routed, "\n"))
	}
}

// password is the password of the accounts that the test registers.
const password = "correct horse"

// walk is a walk through all operations of the API.
type walk struct {
	spec *apiSpec
	base string
}

// fields is a body: a JSON object.
type fields map[string]any

func (f fields) text(name string) string { return fmt.Sprint(f[name]) }

// rows returns the elements of a list in a response.
func (f fields) rows(name string) (rows []fields) {
	list, _ := f[name].([]any)
	for _, row := range list {
		object, _ := row.(map[string]any)
		rows = append(rows, object)
	}
	return rows
}

// ask sends a request, with a token and a body if given, requires a status, and returns the
// response.
func (w walk) ask(t *testing.T, status int, line, token string, body fields) fields {
	t.Helper()
	req := w.request(t, line, body)
	if token != "" {
		req.SetBasicAuth(token, "")
	}
	return w.send(t, status, req)
}

func (w walk) request(t *testing.T, line string, body fields) *http.Request {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequest(method, w.base+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (w walk) send(t *testing.T, status int, req *http.Request) fields {
	t.Helper()
	got, text := send(t, w.spec, req)
	if got != status {
		t.Fatalf("%s %s: status %d, want %d: %s", req.Method, req.URL.Path, got, status, text)
	}
	response := fields{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&response); err != nil {
		t.Fatalf("%s %s: %v: %s", req.Method, req.URL.Path, err, text)
	}
	return response
}

// refuse is ask for a request that is refused with an error code; it returns msg.
func (w walk) refuse(
	t *testing.T, status int, code, line, token string, body fields,
) (msg any) {
	t.Helper()
	response := w.ask(t, status, line, token, body)
	if got := response.text("error_code"); got != code {
		t.Errorf("%s: error_code %s, want %s", line, got, code)
	}
	return response["msg"]
}

// invalid is refuse for a request with something wrong in each of these members and no other.
func (w walk) invalid(t *testing.T, line, token string, body fields, members ...string) {
	t.Helper()
	msg, _ := w.refuse(t, 400, "1000", line, token, body).(map[string]any)
	if got := slices.Sorted(maps.Keys(msg)); !slices.Equal(got, members) {
		t.Errorf("%s: problems with %v, want %v", line, got, members)
	}
}

// requireRevoked fails unless the token is rejected as invalid.
func (w walk) requireRevoked(t *testing.T, token string) {
	t.Helper()
	msg := w.refuse(t, 401, "1002", "GET /v1/user", token, nil)
	if msg != "token is invalid" {
		t.Errorf("a revoked token: %v", msg)
	}
}

func (w walk) register(t *testing.T, account, nickname string) {
	t.Helper()
	w.ask(t, 201, "POST /v1/client/register", "",
		fields{"account": account, "secret": password, "type": 100, "nickname": nickname})
}

func (w walk) login(t *testing.T, account, secret string) (token string) {
	t.Helper()
	return w.ask(t, 201, "POST /v1/token", "",
		fields{"account": account, "secret": secret, "type": 100}).text("token")
}

// requireGuarded asks for each operation that needs a token, of one tag or of all, with a token or
// none that is not enough, and requires a status.
func (w walk) requireGuarded(t *testing.T, token string, status int, tag string) {
	t.Helper()
	fill := strings.NewReplacer("{uid}", "1", "{id}", "1-1-1")
	asked := 0
	for path, item := range w.spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if guarded(operation) && (tag == "" || slices.Contains(operation.Tags, tag)) {
				asked++
				w.ask(t, status, method+" "+fill.Replace(path), token, nil)
			}
		}
	}
	if asked < 5 {
		t.Errorf("only %d operations are guarded", asked)
	}
}

// guarded says whether an operation cannot do without credentials.
func guarded(o *openapi3.Operation) bool {
	for _, scheme := range *o.Security {
		if len(scheme) == 0 {
			return false
		}
	}
	return len(*o.Security) > 0
}
