package docs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"latchkey/static"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// checkOpenAPI sends the recorded cases to the server at base and compares each response with the
// OpenAPI document: a route, status, header or body that it does not describe fails. The server
// must be new and have the administrator 999@qq.com with the password 123456 as uid 1.
func checkOpenAPI(t *testing.T, base string) {
	spec := loadSpec(t)
	tokens := map[string]string{}
	for _, c := range readCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			status, body := send(t, spec, c.request(t, base, tokens))
			if want := c.wantStatus(); status != want {
				t.Errorf("status %d, want %d: %s", status, want, body)
			}
			keepToken(t, c.ID, body, tokens)
		})
	}
	requireSame(t, base)
}

// keepToken keeps the tokens of the two cases that log in for later ones.
func keepToken(t *testing.T, id string, body []byte, tokens map[string]string) {
	name := map[string]string{"token-user": "user", "token-admin": "admin"}[id]
	if name == "" {
		return
	}
	var response struct{ Token string }
	if err := json.Unmarshal(body, &response); err != nil || response.Token == "" {
		t.Fatalf("no token in %s", body)
	}
	tokens[name] = response.Token
}

// requireSame compares what is served at /openapi.json with the document.
func requireSame(t *testing.T, base string) {
	res, err := http.Get(base + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	served, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(served, static.OpenAPI) {
		t.Errorf("/openapi.json is not the document: %d bytes, %v", len(served), err)
	}
}

// recorded is one case of cases.json.
type recorded struct {
	ID, Method, Path string
	Headers          map[string]string
	Body             *string
	Original         struct{ Status int }
	Latchkey         json.RawMessage // "same", or an object with the status that differs
}

func readCases(t *testing.T) []recorded {
	text, err := os.ReadFile(repositoryFile(t, "e2e/testdata/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []recorded }
	if err := json.Unmarshal(text, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("cases.json: %d cases, %v", len(file.Cases), err)
	}
	return file.Cases
}

func (c recorded) wantStatus() int {
	var differs struct{ Status int }
	if json.Unmarshal(c.Latchkey, &differs) == nil {
		return differs.Status
	}
	return c.Original.Status
}

var (
	placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)
	encoded     = regexp.MustCompile(`\b(?:b64|base64)\(([^)]*)\)`)
)

// request builds the case's request. A token that needs the signing keys, such as an expired one,
// is replaced by a well-formed one without a valid signature: the document describes both
// responses alike.
func (c recorded) request(t *testing.T, base string, tokens map[string]string) *http.Request {
	fill := func(s string) string {
		s = placeholder.ReplaceAllStringFunc(s, func(p string) string {
			if token := tokens[strings.Trim(p, "{}")]; token != "" {
				return token
			}
			return strings.Repeat("A", 56)
		})
		return encodeBase64(s)
	}
	var body io.Reader
	if c.Body != nil {
		body = strings.NewReader(fill(*c.Body))
	}
	req, err := http.NewRequest(c.Method, base+c.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.Headers {
		req.Header.Set(name, fill(value))
	}
	return req
}

// encodeBase64 replaces base64(...) and b64(...) by the encoded text.
func encodeBase64(s string) string {
	return encoded.ReplaceAllStringFunc(s, func(m string) string {
		return base64.StdEncoding.EncodeToString([]byte(encoded.FindStringSubmatch(m)[1]))
	})
}

// send sends a request, compares it and its response with the document, and returns the response.
func send(t *testing.T, spec *apiSpec, req *http.Request) (int, []byte) {
	res, body := exchange(t, req)
	spec.check(t, req, res, body)
	return res.StatusCode, body
}

func exchange(t *testing.T, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// apiSpec is the OpenAPI document, ready to check requests and responses.
type apiSpec struct {
	doc       *openapi3.T
	router    routers.Router
	exercised map[string]bool // ids of the operations that the server accepted
}

// loadSpec reads the embedded document and validates it.
func loadSpec(t *testing.T) *apiSpec {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(static.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &apiSpec{doc, router, map[string]bool{}}
}

// check fails if the document does not describe a response, or does not allow a request that the
// server accepted.
func (s *apiSpec) check(t *testing.T, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	s.checkEverywhere(t, req, res)
	lookup := req.Clone(t.Context())
	if req.Method == http.MethodHead {
		lookup.Method = http.MethodGet
	}
	route, params, err := s.router.FindRoute(lookup)
	switch {
	case errors.Is(err, routers.ErrMethodNotAllowed):
		s.checkOtherMethod(t, req, res, body)
		return
	case err != nil:
		s.checkHTTPError(t, res, body, http.StatusNotFound)
		return
	}
	if route.Operation.Responses.Status(res.StatusCode) == nil {
		t.Errorf("%s %s: status %d is not documented", route.Method, route.Path, res.StatusCode)
		return
	}
	if req.GetBody != nil {
		lookup.Body, _ = req.GetBody()
	}
	input := &openapi3filter.RequestValidationInput{Request: lookup, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: carries}}
	if res.StatusCode < http.StatusBadRequest {
		s.exercised[route.Operation.OperationID] = true
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("the document does not allow a request that the server accepted: %v", err)
		}
	}
	if req.Method == http.MethodHead {
		return
	}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: input,
		Status: res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true}}
	if err := openapi3filter.ValidateResponse(t.Context(), response.SetBodyBytes(body)); err != nil {
		t.Errorf("%s %s, %d: not as documented: %v", route.Method, route.Path, res.StatusCode, err)
	}
}

// carries returns nil if a request has credentials for a security scheme, valid or not.
func carries(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	request, scheme := input.RequestValidationInput.Request, input.SecurityScheme
	if scheme.In == openapi3.ParameterInCookie {
		_, err := request.Cookie(scheme.Name)
		return err
	}
	sent, _, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(sent, scheme.Scheme) {
		return fmt.Errorf("scheme %q, not %q", sent, scheme.Scheme)
	}
	return nil
}

// checkEverywhere checks what the document promises for every response.
func (s *apiSpec) checkEverywhere(t *testing.T, req *http.Request, res *http.Response) {
	t.Helper()
	if res.Header.Get("X-Request-Id") == "" {
		t.Errorf("no X-Request-Id")
	}
	script := req.Header.Get("Sec-Fetch-Dest") == "empty" || req.Header.Get("X-Requested-With") != ""
	challenges := len(res.Header.Values("WWW-Authenticate"))
	if want := res.StatusCode == http.StatusUnauthorized && !script; want != (challenges == 1) {
		t.Errorf("status %d with %d challenges", res.StatusCode, challenges)
	}
}

// checkOtherMethod checks the response to a method that a path of the document does not have.
func (s *apiSpec) checkOtherMethod(
	t *testing.T, req *http.Request, res *http.Response, body []byte,
) {
	t.Helper()
	if req.Method == http.MethodOptions {
		if res.StatusCode != http.StatusNoContent || len(body) > 0 {
			t.Errorf("OPTIONS: status %d, body %q", res.StatusCode, body)
		}
	} else {
		s.checkHTTPError(t, res, body, http.StatusMethodNotAllowed)
	}
	s.checkAllow(t, req, res)
}

// checkAllow compares the Allow header with the methods of the document.
func (s *apiSpec) checkAllow(t *testing.T, req *http.Request, res *http.Response) {
	t.Helper()
	want := []string{http.MethodOptions}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		lookup := req.Clone(t.Context())
		lookup.Method = method
		if _, _, err := s.router.FindRoute(lookup); err == nil {
			want = append(want, method)
		}
	}
	if slices.Contains(want, "GET") {
		want = append(want, http.MethodHead)
	}
	got := strings.Fields(strings.ReplaceAll(res.Header.Get("Allow"), ",", " "))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Allow: %v, want %v", got, want)
	}
}

// checkHTTPError checks a response that no operation describes: 404 or 405 with error_code 1007.
func (s *apiSpec) checkHTTPError(t *testing.T, res *http.Response, body []byte, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("status %d, want %d, because the document does not have it", res.StatusCode, want)
	}
	if res.Request.Method == http.MethodHead {
		return
	}
	var response any
	if err := json.Unmarshal(body, &response); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	schema := s.doc.Components.Schemas["HTTPError"].Value
	if err := schema.VisitJSON(response, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("not as documented: %v", err)
	}
}

// repositoryFile finds a file by its path in the repository, wherever the test runs.
func repositoryFile(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, filepath.FromSlash(path))
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}
