package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// replayAPIDoc sends the requests of docs/reference/api.md to the server at base, in order, and
// compares the responses with those of the page, which explains the notation. The server must be
// new and have the administrator admin@example.com with the password "correct horse battery". It
// also fails if an operation of the OpenAPI document has no example, or if the error codes of the
// document and of error-codes.md differ.
func replayAPIDoc(t *testing.T, base string) {
	text, err := os.ReadFile(repositoryFile(t, "docs/reference/api.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := readExamples(t, string(text))
	r := replay{base: base, spec: loadSpec(t), values: map[string]string{}, seen: map[string]bool{}}
	for _, e := range examples {
		name := fmt.Sprintf("line %d: %s %s", e.line, e.request.method, e.request.target)
		t.Run(name, func(t *testing.T) { r.run(t, e) })
	}
	r.requireComplete(t)
	requireCodes(t, r.spec)
}

// message is a request or a response as the page shows it.
type message struct {
	method, target string // of a request
	status         int    // of a response
	header         http.Header
	body           string
}

// example is a request and the response below it.
type example struct {
	line              int // of the request, in the page
	request, response message
}

// readExamples finds the fenced blocks marked "http request" and "http response".
func readExamples(t *testing.T, page string) []example {
	t.Helper()
	var examples []example
	var open bool // a request has no response yet
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		fence := lines[i]
		if !strings.HasPrefix(fence, "```") {
			continue
		}
		length := slices.Index(lines[i+1:], "```")
		if length < 0 {
			t.Fatalf("line %d: block has no end", i+1)
		}
		block := lines[i+1 : i+1+length]
		switch {
		case fence == "```http request" && !open:
			examples = append(examples, example{line: i + 1, request: parseMessage(t, i+2, block)})
			open = true
		case fence == "```http response" && open:
			examples[len(examples)-1].response = parseMessage(t, i+2, block)
			open = false
		case strings.HasPrefix(fence, "```http re"):
			t.Fatalf("line %d: requests and responses must alternate", i+1)
		}
		i += length + 1
	}
	if open || len(examples) == 0 {
		t.Fatalf("%d examples, one without a response: %t", len(examples), open)
	}
	return examples
}

// parseMessage parses a start line, header lines, and the body after a blank line.
func parseMessage(t *testing.T, line int, block []string) message {
	t.Helper()
	head, body, _ := strings.Cut(strings.Join(block, "\n"), "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	m := message{header: http.Header{}, body: body}
	words := strings.SplitN(first, " ", 3)
	switch {
	case len(words) < 3:
		t.Fatalf("line %d: start line %q", line, first)
	case words[2] == "HTTP/1.1":
		m.method, m.target = words[0], words[1]
	default:
		status, err := strconv.Atoi(words[1])
		if err != nil || words[0] != "HTTP/1.1" || words[2] != http.StatusText(status) {
			t.Fatalf("line %d: status line %q", line, first)
		}
		m.status = status
	}
	for _, field := range strings.Split(rest, "\n") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			m.header.Add(name, value)
		} else if field != "" {
			t.Fatalf("line %d: header %q", line, field)
		}
	}
	return m
}

// replay is one run of the page's examples.
type replay struct {
	base   string
	spec   *apiSpec
	values map[string]string // what {{name}} stands for
	seen   map[string]bool   // operation ids
}

func (r *replay) run(t *testing.T, e example) {
	req, err := http.NewRequest(e.request.method,
		r.base+r.fill(t, e.request.target), strings.NewReader(r.fill(t, e.request.body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range e.request.header {
		for _, value := range values {
			req.Header.Add(name, encodeBase64(r.fill(t, value)))
		}
	}
	if route, _, err := r.spec.router.FindRoute(req); err == nil {
		r.seen[route.Operation.OperationID] = true
	}
	res, body := exchange(t, req)
	r.spec.check(t, req, res, body)
	if res.StatusCode != e.response.status {
		t.Errorf("status %d, the page says %d", res.StatusCode, e.response.status)
	}
	for name, values := range e.response.header {
		if got := res.Header.Get(name); !matchText(r.fill(t, values[0]), got) {
			t.Errorf("%s: %q, the page says %q", name, got, values[0])
		}
	}
	r.compareBody(t, e.response.body, body)
}

// fill replaces {{name}} by the value that an earlier response had.
func (r *replay) fill(t *testing.T, s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		value, ok := r.values[strings.Trim(p, "{}")]
		if !ok {
			t.Fatalf("no response above shows %s", p)
		}
		return value
	})
}

// bare finds {{name}} and … where they stand for a whole JSON value, without quotes.
var bare = regexp.MustCompile(`([:\[,]\s*)(\{\{\w+\}\}|…)`)

func (r *replay) compareBody(t *testing.T, want string, got []byte) {
	switch want {
	case "…":
		return
	case "":
		if len(got) > 0 {
			t.Errorf("the page shows no body, but there is one: %s", got)
		}
		return
	}
	expected, err := decode([]byte(bare.ReplaceAllString(want, `$1"$2"`)))
	if err != nil {
		t.Fatalf("the page's body is not JSON: %v", err)
	}
	response, err := decode(got)
	if err != nil {
		t.Fatalf("the response is not JSON: %v: %s", err, got)
	}
	if !r.match(t, expected, response) {
		t.Errorf("the response differs from the page\n got %s\nwant %s", got, want)
	}
}

func decode(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// match compares a JSON value of the page with one of the response, and keeps new values.
func (r *replay) match(t *testing.T, want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(object))) {
			return false
		}
		for name := range want {
			if !r.match(t, want[name], object[name]) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(want, list, func(a, b any) bool { return r.match(t, a, b) })
	case string:
		return r.matchString(t, want, got)
	}
	return want == got
}

func (r *replay) matchString(t *testing.T, want string, got any) bool {
	if want == "…" {
		return true
	}
	if name := strings.Trim(want, "{}"); want == "{{"+name+"}}" {
		if _, known := r.values[name]; !known {
			r.values[name] = fmt.Sprint(got)
		}
		return r.values[name] == fmt.Sprint(got)
	}
	text, ok := got.(string)
	return ok && matchText(r.fill(t, want), text)
}

// matchText compares texts; … in want stands for anything.
func matchText(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(got)
}

// requireComplete fails for each operation of the OpenAPI document that has no example.
func (r *replay) requireComplete(t *testing.T) {
	for path, item := range r.spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !r.seen[operation.OperationID] {
				t.Errorf("docs/reference/api.md has no example of %s %s", method, path)
			}
		}
	}
}

// requireCodes compares the codes of error-codes.md with those of the OpenAPI document.
func requireCodes(t *testing.T, spec *apiSpec) {
	page := readPage(t, repository(t), "docs/reference/error-codes.md")
	var documented, listed []string
	codes := spec.doc.Components.Schemas["Message"].Value.Properties["error_code"].Value.Enum
	for _, code := range codes {
		documented = append(documented, fmt.Sprint(code))
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(page, -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(documented)
	slices.Sort(listed)
	if listed = slices.Compact(listed); !slices.Equal(listed, documented) {
		t.Errorf("error-codes.md has %v, the OpenAPI document %v", listed, documented)
	}
}
