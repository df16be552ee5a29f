// Package templates renders the browser pages. Each page is one struct with a Render method. The
// pages are embedded and work without a script; they link three assets, /static/latchkey.css,
// latchkey.js and icon.svg.
//
// A page never contains a password that was typed. No script or style is inline, so that a
// Content-Security-Policy of 'self' suffices.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed *.html
var files embed.FS

// pages are the compiled pages by name. Each is the layout with that page's "main".
var pages = compile("login", "register", "setup", "reset", "account", "continue", "problem")

// Chrome is the data of the frame around every page.
type Chrome struct {
	SignedIn      bool
	Nickname      string // of the user who is signed in
	Administrator bool
}

// FieldErrors maps the name of a field to the error messages beside it. The empty name stands for
// the form as a whole.
type FieldErrors map[string][]string

// Problem is the error page.
type Problem struct {
	Chrome
	Status    int    // the HTTP status, 400 to 599
	Title     string // a few words, without a full stop
	Message   string // one or two sentences: what happened, then what to do
	RequestID string // for the reader to quote; may be empty
}

// Render writes the page. It writes nothing if it fails.
func (p Problem) Render(w io.Writer) error {
	return render(w, "problem", view{Chrome: p.Chrome, Title: p.Title, Body: p})
}

// OfferSignIn reports whether the page offers to sign in: the visitor was rejected and is not
// signed in.
func (p Problem) OfferSignIn() bool {
	return !p.SignedIn && (p.Status == 401 || p.Status == 403)
}

// Continue is the page between a login and another site. The server sends it with a Refresh
// header, so that browsers follow it without a click.
type Continue struct {
	Chrome
	Next string // an address on the other site; the caller has validated it
	Site string // its scheme and host
}

// Render writes the page. It writes nothing if it fails.
func (p Continue) Render(w io.Writer) error {
	return render(w, "continue", view{Chrome: p.Chrome, Title: "You are signed in", Body: p})
}

// view is the data of the layout.
type view struct {
	Chrome
	Title string // the part before " · Latchkey"
	Body  any    // the data of the page's "main"
}

// compile parses the named pages, each with the layout and the shared parts.
func compile(names ...string) map[string]*template.Template {
	shared := template.Must(template.ParseFS(files, "layout.html", "parts.html"))
	set := make(map[string]*template.Template, len(names))
	for _, name := range names {
		page := template.Must(shared.Clone())
		set[name] = template.Must(page.ParseFS(files, name+".html"))
	}
	return set
}

// render builds the whole page before it writes, so that a template error writes nothing.
func render(w io.Writer, name string, v view) error {
	var page bytes.Buffer
	if err := pages[name].ExecuteTemplate(&page, "layout", v); err != nil {
		return fmt.Errorf("rendering the %s page: %w", name, err)
	}
	if _, err := page.WriteTo(w); err != nil {
		return fmt.Errorf("writing the %s page: %w", name, err)
	}
	return nil
}
