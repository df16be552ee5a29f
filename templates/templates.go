// Package templates holds the browser pages: one typed struct a page, one Render method each. The
// pages are embedded, need no script, and link three assets: /static/latchkey.css, .js and
// icon.svg.
//
// A page never holds a secret that was typed, and nothing in it runs or styles inline, so that a
// Content-Security-Policy of 'self' alone is enough.
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

// pages are the compiled pages by name; each is the layout with that page's "main".
var pages = compile("login", "register", "setup", "reset", "account", "continue", "problem")

// Chrome is what every page shares.
type Chrome struct {
	SignedIn      bool
	Nickname      string // of who is signed in
	Administrator bool
}

// FieldErrors holds sentences to show beside a field, by the field's name. The empty name is the
// form as a whole.
type FieldErrors map[string][]string

// Problem is the page of an error.
type Problem struct {
	Chrome
	Status    int    // the HTTP status, 400 to 599
	Title     string // a few words, without a full stop
	Message   string // one or two sentences: what happened, what to do
	RequestID string // for the reader to quote; may be empty
}

// Render writes the page. Nothing is written when it fails.
func (p Problem) Render(w io.Writer) error {
	return render(w, "problem", view{Chrome: p.Chrome, Title: p.Title, Body: p})
}

// Continue is the page between a login and another site. The browser goes on by itself.
type Continue struct {
	Chrome
	Next string // an address of the other site; the caller has checked it
	Site string // its scheme and host
}

// Render writes the page. Nothing is written when it fails.
func (p Continue) Render(w io.Writer) error {
	return render(w, "continue", view{Chrome: p.Chrome, Title: "You are signed in", Body: p})
}

// OfferSignIn tells whether signing in is the way on: the visitor is not signed in and was
// refused.
func (p Problem) OfferSignIn() bool {
	return !p.SignedIn && (p.Status == 401 || p.Status == 403)
}

// view is what the layout is given.
type view struct {
	Chrome
	Title string // what stands before " · Latchkey"
	Body  any    // what the page's "main" is given
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

// render makes the whole page first, so that a failing template writes nothing.
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
