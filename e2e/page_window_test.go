//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// window is one browser with an empty profile; complaints are its console errors, exceptions and violations of
// the content security policy.
type window struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string
}

// open starts a Chromium for one test. Whatever it complains about fails the test.
func open(t *testing.T, url string) *window {
	t.Helper()
	profile, err := os.MkdirTemp("", "latchkey-chromium-")
	must(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(profile), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Env("TMPDIR="+profile))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	tab, stopTab := chromedp.NewContext(allocator)
	ctx, stopTimeout := context.WithTimeout(tab, 90*time.Second)
	w := &window{t: t, ctx: ctx, url: url}
	chromedp.ListenTarget(tab, w.listen)
	t.Cleanup(func() {
		stopTimeout()
		stopTab()
		stopAllocator()
		await(t, "the browser's last processes to leave its profile", func() bool {
			return os.RemoveAll(profile) == nil
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, complaint := range w.complaints {
			t.Errorf("the browser complains: %s", complaint)
		}
	})
	w.do(log.Enable(), runtime.Enable(), network.Enable())
	return w
}

func (w *window) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			complaint = fmt.Sprint("console: ", e.Type)
		}
	case *log.EventEntryAdded:
		answered := e.Entry.Source == log.SourceNetwork && strings.Contains(e.Entry.Text, "status of 4")
		if e.Entry.Level == log.LevelError && !answered { // a refused form is 422, a used link 403
			complaint = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if complaint != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.complaints = append(w.complaints, complaint)
	}
}

func (w *window) do(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		var where, text string
		_ = chromedp.Run(w.ctx, chromedp.Location(&where), chromedp.Text("body", &text))
		w.t.Fatalf("%v, at %s:\n%s", err, where, text)
	}
}

func (w *window) visit(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.url+path), chromedp.WaitReady("main"))
}

// submit fills the fields of the page's form and sends it, and waits for what selector names.
func (w *window) submit(fields map[string]string, selector string) {
	w.t.Helper()
	w.submitTo("/", fields, selector)
}

// submitTo is submit for the form that is sent to an address.
func (w *window) submitTo(action string, fields map[string]string, selector string) {
	w.t.Helper()
	form := `form.form[action^="` + action + `"] `
	for name, value := range fields {
		w.do(chromedp.SetValue(form+`[name=`+name+`]`, value, chromedp.ByQuery))
	}
	w.do(chromedp.Click(form+`button[type=submit]`, chromedp.ByQuery),
		chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// unfold opens a folded part of the account page.
func (w *window) unfold(summary string) {
	w.t.Helper()
	w.do(chromedp.Click(`//summary[contains(., "`+summary+`")]`, chromedp.BySearch))
}

// text is the text of an element, whether or not it is shown.
func (w *window) text(selector string) (text string) {
	w.t.Helper()
	w.do(chromedp.TextContent(selector, &text, chromedp.ByQuery))
	return strings.TrimSpace(text)
}

func (w *window) path() (where string) {
	w.t.Helper()
	w.do(chromedp.Location(&where))
	return strings.TrimPrefix(where, w.url)
}

func (w *window) evaluate(script string) (result string) {
	w.t.Helper()
	w.do(chromedp.Evaluate("String("+script+")", &result))
	return result
}

func (w *window) signUp(account, nickname string) {
	w.t.Helper()
	w.visit("/register")
	w.submit(map[string]string{"account": account, "nickname": nickname, "secret": "correct horse"}, "#token-title")
}

func (w *window) signOut() {
	w.t.Helper()
	w.do(chromedp.Click(`form[action="/logout"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
}

func (w *window) signIn(account, secret string) {
	w.t.Helper()
	w.visit("/login")
	w.submit(map[string]string{"account": account, "secret": secret}, "#token-title")
}

// thrownOut says that the next look at the account page leads to signing in.
func (w *window) thrownOut() bool {
	w.t.Helper()
	w.do(chromedp.Click(".brand", chromedp.ByQuery), chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
	return strings.HasPrefix(w.path(), "/login?next=")
}

// promise waits for what a script promises. While the browser shows a dialog it keeps no promise.
func (w *window) promise(script string) (result string) {
	w.t.Helper()
	w.do(chromedp.Evaluate(script, &result, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	return result
}

// copyToken presses the token's copy button and returns what the clipboard then holds.
func (w *window) copyToken() (token string) {
	w.t.Helper()
	w.do(chromedp.ActionFunc(func(ctx context.Context) error {
		onBrowser := cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
		for _, name := range []string{"clipboard-read", "clipboard-write"} {
			err := browser.SetPermission(&browser.PermissionDescriptor{Name: name},
				browser.PermissionSettingGranted).WithOrigin(w.url).Do(onBrowser)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	w.do(chromedp.Click(`[data-copy="token-text"]`, chromedp.ByQuery))
	await(w.t, "the button to say that it copied", func() bool {
		return strings.Contains(w.text(`[data-copy="token-text"]`), "Copied")
	})
	w.do(chromedp.Evaluate("navigator.clipboard.readText()", &token,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if shown := w.text("#token-text"); len(token) != 56 || token != shown {
		w.t.Errorf("copied %q, shown %q", token, shown)
	}
	return token
}
