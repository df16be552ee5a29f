package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"latchkey/models"
)

// maxDepth is how deeply the JSON of a body may nest.
const maxDepth = 8

// bodyField is the field name for problems of the whole body.
const bodyField = "body"

// object is a JSON object from a request, with the problems found so far.
type object struct {
	members  map[string]json.RawMessage
	problems models.ValidationError
}

// readObject reads a request's body as one JSON object. An empty body is an object without
// members. Unknown members are ignored because clients of the original send some. Errors:
// models.ValidationError, and Echo's 400, 413 and 415.
func readObject(r *http.Request) (object, error) {
	raw, err := io.ReadAll(r.Body) // bounded by the body limit
	if err != nil {
		return object{}, readError(err, err)
	}
	o := object{map[string]json.RawMessage{}, models.ValidationError{}}
	if len(raw) == 0 {
		return o, nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		media != echo.MIMEApplicationJSON {
		return object{}, echo.NewHTTPError(http.StatusUnsupportedMediaType,
			"The body must be JSON, with Content-Type: application/json.")
	}
	if problem := o.decode(raw); problem != "" {
		return object{}, models.ValidationError{bodyField: {problem}}
	}
	return o, nil
}

// readError returns the error for a body that cannot be read: 413 over the limit, else 400.
// internal is for the log.
func readError(err, internal error) error {
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return known
	}
	return echo.NewHTTPError(http.StatusBadRequest, "The body could not be read.").
		WithInternal(internal)
}

// decode reads the members. It returns the problem of the whole text, or "".
func (o object) decode(raw []byte) (problem string) {
	if !utf8.Valid(raw) {
		return "The body is not UTF-8."
	}
	if depth(raw) > maxDepth {
		return fmt.Sprintf("The body is nested deeper than %d levels.", maxDepth)
	}
	if !json.Valid(raw) {
		return "The body is not valid JSON."
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return "The body must be a JSON object."
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return "The body is not valid JSON."
		}
		key, _ := name.(string)
		if _, duplicate := o.members[key]; duplicate {
			return "The body has a duplicate member."
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return "The body is not valid JSON."
		}
		o.members[key] = value
	}
	return ""
}

// depth returns how deeply brackets and braces nest, whether or not the text is valid JSON.
func depth(raw []byte) (deepest int) {
	now, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			now++
			deepest = max(deepest, now)
		case b == '}' || b == ']':
			now--
		}
	}
	return deepest
}

// withProblems merges the problems from parsing with those that check finds, so that a client gets
// all in one response. Without parsing problems it returns nil and does not run check, because the
// action checks its input itself. A parsing problem replaces check's problems of the same field,
// because check saw no value.
func withProblems(parsing models.ValidationError, check func() error) error {
	if len(parsing) == 0 {
		return nil
	}
	var found models.ValidationError
	if err := check(); err != nil && !errors.As(err, &found) {
		return err
	}
	for field, sentences := range found {
		if !parsing.Has(field) {
			parsing[field] = sentences
		}
	}
	return parsing
}

// text returns a text member, or "" if it is missing. Another type is a problem.
func (o object) text(name string) string {
	if !o.has(name) {
		return ""
	}
	var s string
	if err := json.Unmarshal(o.members[name], &s); err != nil {
		o.problems.Add(name, "This field must be text.")
	}
	return s
}

// has reports whether a member is present and not null.
func (o object) has(name string) bool {
	raw, present := o.members[name]
	return present && string(raw) != "null"
}

// number returns a whole number. A missing member and another type are problems.
func (o object) number(name string) int64 {
	if !o.has(name) {
		o.problems.Require(name)
		return 0
	}
	n, err := strconv.ParseInt(string(o.members[name]), 10, 64)
	if err != nil {
		o.problems.Add(name, "This field must be a whole number.")
	}
	return n
}

// clientType returns the member "type". A missing member, another type and a number out of range
// are problems.
func (o object) clientType() models.ClientType {
	raw := o.members["type"]
	if !o.has("type") {
		o.problems.Require("type")
		return 0
	}
	n, err := strconv.ParseUint(string(raw), 10, 16)
	if err != nil {
		o.problems.Add("type", notClientType(raw))
	}
	return models.ClientType(n)
}

// notClientType returns the original's sentence for a value that is short enough to repeat.
func notClientType(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		raw = json.RawMessage("'" + s + "'")
	}
	if len(raw) > 24 {
		return "This field must be a whole number, such as 100."
	}
	return string(raw) + " is not a valid ClientTypeEnum"
}

// readForm parses the form in a request's body into PostForm. A duplicate field is an error.
// Errors: Echo's 400 and 413.
func readForm(c echo.Context) error {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return readError(err, nil) // err quotes the form, so it must not be logged
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return echo.NewHTTPError(http.StatusBadRequest, "The form has a duplicate field.")
		}
	}
	return nil
}
