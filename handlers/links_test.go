package handlers

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"latchkey/auth"
	"latchkey/models"
)

// TestResetLink: a link works once, a newer link replaces it, and a disabled account has none.
func TestResetLink(t *testing.T) {
	h := newHarness(t, auth.Options{})
	uid, account, _ := h.newUser()
	path := fmt.Sprintf("/v1/user/%d", uid)
	link := func() string {
		link, _ := h.with(h.admin, "POST", path+"/secret", "", 201)["link"].(string)
		_, token, _ := strings.Cut(link, "http://example.com/reset?token=")
		return token
	}
	first, second := link(), link()
	reset := func(token string) error { return h.authority.Reset(t.Context(), token, "secret2", "") }
	if err := reset(first); err == nil {
		t.Error("a replaced link works")
	}
	if _, err := h.authority.Verify(second); err == nil {
		t.Error("the token of a link is accepted as an access token")
	}
	var wait sync.WaitGroup
	results := make(chan error, 4)
	for range cap(results) {
		wait.Go(func() { results <- reset(second) })
	}
	wait.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("a link was used %d times", won)
	}
	h.login(account, "secret2")
	third := link()
	h.with(h.admin, "PUT", path, `{"state":"disabled"}`, 200)
	if err := reset(third); err == nil {
		t.Error("a link of a disabled account works")
	}
	h.with(h.admin, "POST", path+"/secret", "", 404)
}

// TestSetupLinkIsUsedOnce: a link is invalid from the first administrator on, and the last one
// cannot be deleted to make it valid again.
func TestSetupLinkIsUsedOnce(t *testing.T) {
	h := newHarness(t, auth.Options{})
	link, err := h.authority.SetupToken()
	must(t, err)
	if err := h.authority.Delete(t.Context(), 1); !errors.Is(err, models.ErrLastAdministrator) {
		t.Errorf("delete: %v, want %v", err, models.ErrLastAdministrator)
	}
	if err := h.authority.CheckSetup(t.Context(), link); !errors.Is(err, models.ErrSetupDone) {
		t.Errorf("setup: %v, want %v", err, models.ErrSetupDone)
	}
}
