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

// TestOperations lets every operation of openapi.json succeed once and be refused where it has to
// be, each request and each answer held against the document.
func TestOperations(t *testing.T) {
	const account, secret = "admin@example.com", "correct horse battery"
	w := walk{loadSpec(t), newServer(t, account, secret, "Admin")}
	w.open(t)
	w.requireGuarded(t, "", 401, "")
	admin := w.login(t, account, secret)
	w.register(t, "alice@example.com", "Alice")
	w.register(t, "bob@example.com", "Bob")
	alice, bob := w.login(t, "alice@example.com", usual), w.login(t, "bob@example.com", usual)
	w.requireGuarded(t, alice, 403, "Administration")
	w.carry(t, alice)
	w.program(t, bob)
	w.renew(t, bob)
	w.list(t, alice)
	w.endMany(t)
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

// usual is the secret of those who register here.
const usual = "correct horse"

// walk is a way through the API.
type walk struct {
	spec *apiSpec
	base string
}

// fields is a body: a JSON object.
type fields map[string]any

func (f fields) text(name string) string { return fmt.Sprint(f[name]) }

// rows are the members of a list that an answer holds.
func (f fields) rows(name string) (rows []fields) {
	list, _ := f[name].([]any)
	for _, row := range list {
		object, _ := row.(map[string]any)
		rows = append(rows, object)
	}
	return rows
}

// ask sends a request, with a token and a body where there are any, and returns the answer, which
// must have the status wanted.
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
	answer := fields{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		t.Fatalf("%s %s: %v: %s", req.Method, req.URL.Path, err, text)
	}
	return answer
}

// refuse is ask for a request that is refused with an error code; it returns msg.
func (w walk) refuse(
	t *testing.T, status int, code, line, token string, body fields,
) (msg any) {
	t.Helper()
	answer := w.ask(t, status, line, token, body)
	if got := answer.text("error_code"); got != code {
		t.Errorf("%s: error_code %s, want %s", line, got, code)
	}
	return answer["msg"]
}

// invalid is refuse for a request with something wrong in each of these members and no other.
func (w walk) invalid(t *testing.T, line, token string, body fields, members ...string) {
	t.Helper()
	msg, _ := w.refuse(t, 400, "1000", line, token, body).(map[string]any)
	if got := slices.Sorted(maps.Keys(msg)); !slices.Equal(got, members) {
		t.Errorf("%s: problems with %v, want %v", line, got, members)
	}
}

// ended says that a token is refused as invalid.
func (w walk) ended(t *testing.T, token string) {
	t.Helper()
	msg := w.refuse(t, 401, "1002", "GET /v1/user", token, nil)
	if msg != "token is invalid" {
		t.Errorf("an ended token: %v", msg)
	}
}

func (w walk) register(t *testing.T, account, nickname string) {
	t.Helper()
	w.ask(t, 201, "POST /v1/client/register", "",
		fields{"account": account, "secret": usual, "type": 100, "nickname": nickname})
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
