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

// maxBody is the largest body that is read, in bytes; maxDepth the deepest nesting of JSON.
const (
	maxBody  = 16 << 10
	maxDepth = 8
)

// bodyField is the name under which a problem of the whole body is reported.
const bodyField = "body"

// object is a JSON object from a request and what is wrong with it so far.
type object struct {
	members  map[string]json.RawMessage
	problems models.ValidationError
}

// readObject reads a request's body as one JSON object. Unknown members are ignored: clients of
// the original send extra ones. An empty body is an object without members. Errors:
// models.ValidationError, echo's 413 and 415.
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
	if why := o.decode(raw); why != "" {
		return object{}, models.ValidationError{bodyField: {why}}
	}
	return o, nil
}

// readError tells a body over the limit from a client that went away; internal is for the log.
func readError(err, internal error) error {
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return known
	}
	return echo.NewHTTPError(http.StatusBadRequest, "The body could not be read.").
		WithInternal(internal)
}

// decode takes the members in and returns what is wrong with the text as a whole, "" for nothing.
func (o object) decode(raw []byte) (why string) {
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
		if _, twice := o.members[key]; twice {
			return "The body has a member twice."
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return "The body is not valid JSON."
		}
		o.members[key] = value
	}
	return ""
}

// depth is how deep brackets and braces nest, whether or not the rest is JSON.
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

// withProblems returns what check finds wrong together with the problems that parsing found, so that
// the client learns of all at once; nil if parsing found none, without a check. Then the action
// checks its input itself. For a field that could not be parsed, check's finding is dropped, because
// check saw no value.
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

// text returns a member that is a text; a missing one is "", one of another type is a problem.
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

// has says whether a member is there at all.
func (o object) has(name string) bool {
	raw, there := o.members[name]
	return there && string(raw) != "null"
}

// number returns a member that is a whole number; missing or of another type is a problem.
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

// clientType returns the member "type"; missing, of another type or out of range is a problem.
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

// notClientType is the original's sentence, as long as the value is short enough to repeat.
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

// readForm reads a form from a request's body. A field that comes twice is refused: which one
// counts would be a guess. Values in the query do not count.
func readForm(c echo.Context) error {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return readError(err, nil) // the error quotes the form
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return echo.NewHTTPError(http.StatusBadRequest, "The form has a field twice.")
		}
	}
	return nil
}
