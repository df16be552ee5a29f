package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"latchkey/models"
)

// TestRegistrationProblems: a registration is rejected with all problems at once. Only if
// there is no other, the account is said to be taken.
func TestRegistrationProblems(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	const required = "This field is required."
	tests := []struct {
		name string
		r    Registration
		want string
	}{
		{"empty", Registration{ClientType: models.EMail},
			"account: " + required + "; nickname: " + required + "; secret: " + required},
		{"taken, short, short", Registration{Account: "ANN@example.com", Password: "12345",
			Nickname: "d", ClientType: models.EMail},
			"nickname: Field must be between 2 and 22 characters long.; secret: At least 6 characters."},
		{"taken", Registration{Account: "ANN@example.com", Password: "secret1", Nickname: "dd",
			ClientType: models.EMail}, "account: This account is already registered."},
		{"unknown type", Registration{Account: "a@b.cn", Password: "secret1", Nickname: "dd",
			ClientType: 999}, "type: 999 is not a valid ClientTypeEnum"},
		{"long password", Registration{Account: "a@b.cn", Nickname: "dd", ClientType: models.EMail,
			Password: strings.Repeat("x", MaxPassword+1)}, "secret: At most 1024 bytes."},
		{"broken text", Registration{Account: "a@b.cn", Password: "secret\xff", Nickname: "d\xffd",
			ClientType: models.EMail}, "nickname: This text holds characters that cannot be shown.; " +
			"secret: The password is not valid Unicode text."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := a.Register(t.Context(), test.r, models.RoleUser)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestChangesRevokeTokens: each change of an account revokes all its tokens. A token that is issued
// within the same second is valid.
func TestChangesRevokeTokens(t *testing.T) {
	type change func(ctx context.Context, a *Authority, uid uint32) error
	changes := map[string]change{
		"password": func(ctx context.Context, a *Authority, uid uint32) error {
			return a.SetPassword(ctx, uid, "secret1")
		},
		"role": func(ctx context.Context, a *Authority, uid uint32) error {
			return a.Change(ctx, uid, Change{Role: new(models.RoleAdministrator)})
		},
		"disable": func(ctx context.Context, a *Authority, uid uint32) error {
			return a.Change(ctx, uid, Change{State: new(models.Disabled)})
		},
		"disable and enable": func(ctx context.Context, a *Authority, uid uint32) error {
			return errors.Join(a.Change(ctx, uid, Change{State: new(models.Disabled)}),
				a.Change(ctx, uid, Change{State: new(models.Active)}))
		},
		"delete": func(ctx context.Context, a *Authority, uid uint32) error { return a.Delete(ctx, uid) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			frozen(t, func(t *testing.T) {
				a := newAuthority(t, Options{})
				user := register(t, a, "ann@example.com")
				other := mustLogin(t, a, register(t, a, "bob@example.com").Account)
				old := []Issued{mustLogin(t, a, user.Account), mustLogin(t, a, user.Account)}
				must(t, change(t.Context(), a, user.ID))
				for _, issued := range old {
					mustReject(t, a, "an old token", issued.Token, errRevoked)
					_, err := a.IssueLike(t.Context(), issued.Identity, Client{})
					if !errors.Is(err, errRevoked) {
						t.Errorf("a new token from an old one: %v, want errRevoked", err)
					}
				}
				mustVerify(t, a, "another user's token", other.Token)
				if name != "disable" && name != "delete" {
					mustVerify(t, a, "a new token", mustLogin(t, a, user.Account).Token)
				}
			})
		})
	}
}
