//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
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

var setupLink = regexp.MustCompile(`http://\S+(/setup\?token=\S+)`)

func TestBrowserSetup(t *testing.T) {
	s := start(t, t.TempDir())
	link := setupLink.FindStringSubmatch(s.out.String())[1]
	w := open(t, s.URL)
	w.visit(link)
	w.visit(link) // looking does not spend it
	w.submit(map[string]string{"account": "root@example.com", "nickname": "Root", "secret": "correct horse"},
		"#token-title")
	if got := w.text("header"); !strings.Contains(got, "Root") || !strings.Contains(got, "Admin") {
		t.Errorf("header %q", got)
	}
	token := w.text("#token-text")
	if got := request(t, "GET", s.URL+"/v1/user/99", "", basic(token, "")); got.Status != 404 {
		t.Errorf("an administrator asks for a user that is not there: status %d", got.Status)
	}
	w.visit(link)
	if got := w.text("main"); !strings.Contains(got, "An administrator exists already") {
		t.Errorf("the link again: %q", got)
	}
}

func TestBrowserSession(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	if got := w.text("main"); !strings.Contains(got, "You are signed out.") {
		t.Errorf("after signing out: %q", got)
	}
	w.submit(map[string]string{"account": "Ann@Example.com", "secret": "correct horse"}, "#token-title")
	token := w.copyToken()
	out, err := exec.Command("curl", "-s", "-u", token+":", s.URL+"/v1/user").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"nickname":"Ann"`) {
		t.Errorf("curl with the copied token: %v, %s", err, out)
	}
	w.signOut()
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login?next=") {
		t.Errorf("the account page after signing out leads to %s", got)
	}
	if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 401 {
		t.Errorf("the token after signing out: status %d", got.Status)
	}
	w.do(network.SetCookie("latchkey", token).WithURL(s.URL).WithHTTPOnly(true))
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login") {
		t.Errorf("the old cookie put back leads to %s", got)
	}
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

func TestBrowserWrongSecret(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	said := map[string]bool{}
	for _, account := range []string{"ann@example.com", "bob@example.com"} {
		w.visit("/login")
		w.submit(map[string]string{"account": account, "secret": "a wrong secret"}, "#form-errors")
		said[w.text("#form-errors")] = true
		if got := w.evaluate(`document.querySelector("[name=secret]").value`); got != "" {
			t.Errorf("the secret is put back: %q", got)
		}
	}
	if len(said) != 1 {
		t.Errorf("unknown and wrong are told apart: %v", said)
	}
}

func TestBrowserFieldErrors(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.visit("/register")
	w.submit(map[string]string{"account": "nobody", "nickname": "x", "secret": "123"}, "#account-wrong")
	for field, want := range map[string]string{"account": "5 to 15 digits", "nickname": "between 2 and 22",
		"secret": "At least 6"} {
		if got := w.text("#" + field + "-wrong"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestBrowserNicknameIsText(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	const nickname = `<img src=x onerror=1>`
	w.signUp("ann@example.com", nickname)
	if got := w.text(".who-name"); got != nickname {
		t.Errorf("shown as %q", got)
	}
	if n := w.evaluate(`document.querySelectorAll("img[src=x]").length`); n != "0" {
		t.Errorf("%s images", n)
	}
}

func TestBrowserFreshToken(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	first := w.text("#token-text")
	w.do(chromedp.Click(`form[action="/account/token"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(".notice", chromedp.ByQuery))
	second := w.text("#token-text")
	if first == second {
		t.Error("the same token")
	}
	for _, token := range []string{first, second} {
		if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
			t.Errorf("status %d", got.Status)
		}
	}
}

func TestBrowserNext(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.signUp("ann@example.com", "Ann")
	for next, want := range map[string]string{"//evil.example": "/account", "https://evil.example/": "/account",
		"/account%3Fa=1": "/account?a=1"} {
		w.signOut()
		w.visit("/login?next=" + next)
		w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#token-title")
		if got := w.path(); got != want {
			t.Errorf("next=%s leads to %s, want %s", next, got, want)
		}
	}
}

func TestBrowserCountdown(t *testing.T) {
	w := open(t, start(t, t.TempDir(), "--token-ttl", "50s").URL)
	w.signUp("ann@example.com", "Ann")
	first := w.text("#left")
	await(t, "the time left to count down", func() bool { return w.text("#left") != first })
}

func TestBrowserWithoutScript(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.do(emulation.SetScriptExecutionDisabled(true))
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#token-title")
	w.do(chromedp.Click(".token summary", chromedp.ByQuery),
		chromedp.WaitVisible("#token-text", chromedp.ByQuery))
	if got := w.text("#token-text"); len(got) != 56 {
		t.Errorf("token %q", got)
	}
}

func TestBrowserNarrow(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.do(emulation.SetDeviceMetricsOverride(320, 700, 1, true))
	w.signUp("a.rather.long.account.name@mail.example.com", strings.Repeat("W", 22))
	for _, path := range []string{"/account", "/login", "/register", "/nothing"} {
		if path == "/login" {
			w.signOut()
		}
		w.visit(path)
		got := w.evaluate("document.documentElement.scrollWidth")
		if got != "320" {
			t.Errorf("%s is %s pixels wide on a screen of 320", path, got)
		}
	}
}
