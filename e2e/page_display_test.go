//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestBrowserNicknameIsText shows a nickname with HTML in it as text.
func TestBrowserNicknameIsText(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir()).URL)
	const nickname = `<img src=x onerror=1>`
	w.signUp("ann@example.com", nickname)
	if got := w.text(".who-name"); got != nickname {
		t.Errorf("the nickname is shown as %q, want %q", got, nickname)
	}
	if n := w.evaluate(`document.querySelectorAll("img[src=x]").length`); n != "0" {
		t.Errorf("the page has %s images of the nickname, want 0", n)
	}
}

// TestBrowserCountdown shows the time left of the token, which counts down.
func TestBrowserCountdown(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir(), "--token-ttl", "9m").URL)
	w.signUp("ann@example.com", "Ann")
	first := w.text("#left")
	await(t, "the time left to count down", func() bool { return w.text("#left") != first })
}

// TestBrowserWithoutScript registers, signs out and in, and shows the token with JavaScript
// disabled.
func TestBrowserWithoutScript(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir()).URL)
	w.do(emulation.SetScriptExecutionDisabled(true))
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"},
		"#token-title")
	w.press(".token summary")
	w.do(chromedp.WaitVisible("#token-text", chromedp.ByQuery))
	if got := w.text("#token-text"); len(got) != 56 {
		t.Errorf("the token is %q, want 56 characters", got)
	}
}

// TestBrowserNarrow opens pages on a screen 320 pixels wide. None needs horizontal scrolling.
func TestBrowserNarrow(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir()).URL)
	w.do(emulation.SetDeviceMetricsOverride(320, 700, 1, true))
	w.signUp("a.rather.long.account.name@mail.example.com", strings.Repeat("W", 22))
	for _, path := range []string{"/account", "/login", "/register", "/nothing"} {
		if path == "/login" {
			w.signOut()
		}
		w.visit(path)
		got := w.evaluate("document.documentElement.scrollWidth")
		if got != "320" {
			t.Errorf("%s is %s pixels wide, want 320", path, got)
		}
	}
}
