//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// window is a browser with an empty profile. errors are its console errors, exceptions and
// violations of the content security policy.
type window struct {
	t   *testing.T
	tab context.Context // lives as long as the browser
	ctx context.Context // of tab, with the test's time limit
	url string

	mu     sync.Mutex
	errors []string
}

// openBrowser starts a Chromium for one test. Errors in the browser fail the test.
func openBrowser(t *testing.T, url string) *window {
	t.Helper()
	profile, err := os.MkdirTemp("", "latchkey-chromium-")
	must(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(profile), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Env("TMPDIR="+profile))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	tab, stopTab := chromedp.NewContext(allocator)
	must(t, chromedp.Run(tab)) // starts the browser; it outlives ctx, so that do can report its page
	ctx, stopTimeout := context.WithTimeout(tab, 5*patience)
	w := &window{t: t, tab: tab, ctx: ctx, url: url}
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
		for _, message := range w.errors {
			t.Errorf("error in the browser: %s", message)
		}
	})
	w.do(log.Enable(), runtime.Enable(), network.Enable())
	return w
}

// listen collects the errors.
func (w *window) listen(event any) {
	message := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		message = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			message = fmt.Sprint("console: ", e.Type)
		}
	case *log.EventEntryAdded:
		answered := e.Entry.Source == log.SourceNetwork && strings.Contains(e.Entry.Text, "status of 4")
		if e.Entry.Level == log.LevelError && !answered { // a rejected form is 422, a used link 403
			message = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if message != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.errors = append(w.errors, message)
	}
}

// do runs actions in the browser.
func (w *window) do(actions ...chromedp.Action) {
	w.t.Helper()
	if err := chromedp.Run(w.ctx, actions...); err != nil {
		ctx, stop := context.WithTimeout(w.tab, patience)
		defer stop()
		var where, text string
		_ = chromedp.Run(ctx, chromedp.Location(&where), chromedp.Text("body", &text))
		w.t.Fatalf("%v, at %s:\n%s", err, where, text)
	}
}

// visit opens a page and waits for its content.
func (w *window) visit(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.url+path), chromedp.WaitReady("main"))
}

// submit fills in the page's form, sends it and waits for the element that selector names.
func (w *window) submit(fields map[string]string, selector string) {
	w.t.Helper()
	w.submitTo("/", fields, selector)
}

// submitTo is submit for the form whose action begins with a path.
func (w *window) submitTo(action string, fields map[string]string, selector string) {
	w.t.Helper()
	form := `form.form[action^="` + action + `"] `
	for name, value := range fields {
		w.do(chromedp.SetValue(form+`[name=`+name+`]`, value, chromedp.ByQuery))
	}
	w.press(form + `button[type=submit]`)
	w.do(chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// press activates a button, a link or a summary with the Enter key. A click could miss it, because
// the page's script and the strength meter move what is below them at any moment.
func (w *window) press(selector string) {
	w.t.Helper()
	w.do(chromedp.SendKeys(selector, kb.Enter, chromedp.BySearch))
}

// awaitNotice waits until the page shows a notice.
func (w *window) awaitNotice(text string) {
	w.t.Helper()
	w.do(chromedp.WaitVisible(`//div[@class="notice"][text()="`+text+`"]`, chromedp.BySearch))
}

// unfold opens a section of the account page.
func (w *window) unfold(summary string) {
	w.t.Helper()
	w.press(`//summary[contains(., "` + summary + `")]`)
}

// text returns the text of an element, visible or not.
func (w *window) text(selector string) (text string) {
	w.t.Helper()
	w.do(chromedp.TextContent(selector, &text, chromedp.ByQuery))
	return strings.TrimSpace(text)
}

// path returns the path and query of the current page.
func (w *window) path() (where string) {
	w.t.Helper()
	w.do(chromedp.Location(&where))
	return strings.TrimPrefix(where, w.url)
}

// evaluate runs a script and returns its result as a string.
func (w *window) evaluate(script string) (result string) {
	w.t.Helper()
	w.do(chromedp.Evaluate("String("+script+")", &result))
	return result
}

// signUp registers an account with the password "correct horse".
func (w *window) signUp(account, nickname string) {
	w.t.Helper()
	w.visit("/register")
	w.submit(map[string]string{"account": account, "nickname": nickname, "secret": "correct horse"},
		"#token-title")
}

// signOut signs out.
func (w *window) signOut() {
	w.t.Helper()
	w.press(`form[action="/logout"] button`)
	w.do(chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
}

// signIn signs in on the login page.
func (w *window) signIn(account, password string) {
	w.t.Helper()
	w.visit("/login")
	w.submit(map[string]string{"account": account, "secret": password}, "#token-title")
}

// isSignedOut opens the account page and returns whether it redirects to the login page.
func (w *window) isSignedOut() bool {
	w.t.Helper()
	w.press(".brand")
	w.do(chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
	return strings.HasPrefix(w.path(), "/login?next=")
}

// evaluateAsync waits for the promise of a script. While the browser shows a dialog, it never
// resolves.
func (w *window) evaluateAsync(script string) (result string) {
	w.t.Helper()
	w.do(chromedp.Evaluate(script, &result, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	return result
}

// copyToken presses the token's copy button and returns the content of the clipboard.
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
	w.evaluate(`window.copied = new Promise(done => {
		const button = document.querySelector('[data-copy="token-text"]');
		new MutationObserver(() => { if (button.textContent.includes("Copied")) { done("yes"); } })
			.observe(button, {childList: true, subtree: true});
	})`)
	w.do(chromedp.Click(`[data-copy="token-text"]`, chromedp.ByQuery))
	w.evaluateAsync("window.copied") // the button says so for two seconds
	w.do(chromedp.Evaluate("navigator.clipboard.readText()", &token,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if shown := w.text("#token-text"); len(token) != 56 || token != shown {
		w.t.Errorf("copied %q, shown %q", token, shown)
	}
	return token
}
