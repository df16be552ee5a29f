package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"latchkey/auth"
	"latchkey/models"
)

func bodyRequest(media, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/token", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	return r
}

func TestReadObject(t *testing.T) {
	tests := []struct {
		name, media, body, want string
	}{
		{"OK", "application/json", `{"account":"a","type":100,"extra":[{}]}`, ""},
		{"OK/charset", "Application/JSON; charset=utf-8", `{"account":"a","type":100}`, ""},
		{"OK/no type needed without a body", "", "", "type: This field is required."},
		{"Err/media type", "text/plain", `{}`, "415"},
		{"Err/no media type", "", `{}`, "415"},
		{"Err/not JSON", "application/json", `{"account":`, "body: The body is not valid JSON."},
		{"Err/trailing", "application/json", `{} {}`, "body: The body is not valid JSON."},
		{"Err/array", "application/json", `[1,2]`, "body: The body must be a JSON object."},
		{"Err/null", "application/json", `null`, "body: The body must be a JSON object."},
		{"Err/twice", "application/json", `{"a":1,"a":2}`, "body: The body has a duplicate member."},
		{"Err/deep", "application/json", `{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`,
			"body: The body is nested deeper than 8 levels."},
		{"Err/not UTF-8", "application/json", "{\"a\":\"\xff\"}", "body: The body is not UTF-8."},
		{"Err/number account", "application/json", `{"account":1,"type":100}`,
			"account: This field must be text."},
		{"Err/text type", "application/json", `{"type":"100"}`,
			"type: '100' is not a valid ClientTypeEnum"},
		{"Err/fraction", "application/json", `{"type":1.5}`, "type: 1.5 is not a valid ClientTypeEnum"},
		{"Err/huge", "application/json", `{"type":99999999999999999999999999}`,
			"type: This field must be a whole number, such as 100."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, err := readObject(bodyRequest(test.media, test.body))
			if err == nil {
				o.text("account")
				o.clientType()
				err = o.problems.Err()
			}
			if got := fmt.Sprint(err); err != nil && !strings.Contains(got, test.want) ||
				(err == nil) != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add(`{"account":"a","secret":"b","type":100}`)
	f.Add(`{"a":{"b":[1,"\"]"]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := readObject(bodyRequest("application/json", body))
		var invalid models.ValidationError
		if err != nil && !errors.As(err, &invalid) {
			t.Errorf("%q: %v", body, err)
		}
		if err == nil && body != "" && !json.Valid([]byte(body)) {
			t.Errorf("%q was accepted", body)
		}
		if err == nil {
			o.text("account")
			o.clientType()
		}
	})
}

// TestBodyLimit: the server reads a body of 16 KiB and rejects one more byte.
func TestBodyLimit(t *testing.T) {
	h := newHarness(t, auth.Options{})
	for size, want := range map[int]int{16 << 10: 400, 16<<10 + 1: 413} {
		body := `{"account":"` + strings.Repeat("a", size-len(`{"account":""}`)) + `"}`
		if w := h.ask("POST", "/v1/token", body); w.Code != want {
			t.Errorf("%d bytes: %d, want %d", size, w.Code, want)
		}
	}
}
