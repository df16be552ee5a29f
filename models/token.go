package models

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what a token was issued for.
type Kind uint8

// The kinds of tokens.
const (
	LoginToken   Kind = 1 // of a person or a client that logged in; it can be renewed
	ServiceToken Kind = 2 // of a program, with a label and a longer life; it cannot
)

// String is the word the API and the command line use.
func (k Kind) String() string {
	switch k {
	case LoginToken:
		return "login"
	case ServiceToken:
		return "service"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Token is what is remembered of a token that was issued. The token itself is not stored.
type Token struct {
	ID         TokenID
	ExpiresAt  int64 // Unix seconds: refused from this second on in any case
	EndsAt     int64 // Unix seconds: refused from this second on; 0: it was ended at once
	Kind       Kind
	ClientType ClientType
	Scope      Scope
	Label      string
	LoginAt    int64  // Unix seconds: the login that its renewals go back to
	UsedAt     int64  // Unix seconds, 0 for never
	UserAgent  string // of the client it was issued to
	Address    string // of the client it was issued to, or "command line"
	keyID      int64
}

// NewToken is what CreateToken needs.
type NewToken struct {
	UID          uint32
	Epoch        int64   // of the credentials that a login was checked against; or
	From         TokenID // a live token of the same user that asks for this one
	EndFromAfter int64   // seconds after which From ends; 0: it stays
	Kind         Kind
	ClientType   ClientType
	Scope        Scope
	Label        string
	Lifetime     int64 // seconds
	LoginAt      int64 // Unix seconds; 0: this is a login
	UserAgent    string
	Address      string
}

// CreateToken stores a token if the account is active and still has the epoch, or if the token it
// is asked from is live. The id's second and serial are chosen here; sign is called with the
// whole token and returns the id of the key that signed it, and its error undoes everything. The
// ending is that of the token it was asked from, if it ends. Errors: ErrChanged, ErrSerialsExhausted,
// ErrClock, ErrRetired, and sign's.
func (s *Store) CreateToken(
	ctx context.Context, n NewToken, sign func(Token) (keyID int64, err error),
) (t Token, ending Revocation, err error) {
	err = s.inTransaction(ctx, func(tx transaction) error {
		at := now()
		endedThrough, err := tx.admit(n, at)
		if errors.Is(err, ErrNotFound) {
			return ErrChanged
		}
		if err != nil {
			return err
		}
		t = n.at(at)
		if t.ID, err = tx.newTokenID(n.UID, at, endedThrough); err != nil {
			return err
		}
		if t.keyID, err = sign(t); err != nil {
			return err
		}
		if err := tx.insertToken(t); err != nil {
			return err
		}
		if n.EndFromAfter > 0 {
			ending, err = tx.revokeToken(n.From, at+n.EndFromAfter, "renewed")
		}
		return err
	})
	return t, ending, err
}

// at is the token as it would be issued at a time, without its serial.
func (n NewToken) at(at int64) Token {
	t := Token{ID: TokenID{UID: n.UID, IssuedAt: at}, Kind: n.Kind, ClientType: n.ClientType,
		Scope: n.Scope, Label: n.Label, LoginAt: n.LoginAt, ExpiresAt: at + n.Lifetime,
		EndsAt: at + n.Lifetime, UserAgent: n.UserAgent, Address: n.Address}
	if t.LoginAt == 0 {
		t.LoginAt = at
	}
	return t
}

// admit checks that the account may be given the token and locks its row, so that no change of
// the account and no other token of it comes between. It returns the order up to which its tokens
// have ended.
func (t transaction) admit(n NewToken, at int64) (endedThrough int64, err error) {
	login := at
	if n.LoginAt != 0 {
		login = 0 // no login: what is there stays
	}
	var row userRow
	err = t.scan(`UPDATE users
		SET last_login_at = CASE WHEN last_login_at < $1 THEN $2 ELSE last_login_at END
		WHERE id = $3 RETURNING `+userColumns, []any{login, login, n.UID}, row.fields()...)
	if err != nil {
		return 0, err
	}
	if n.From != (TokenID{}) {
		n.Epoch = row.epoch
		if err := t.lockLive(n.From, n.UID, at); err != nil {
			return 0, err
		}
	}
	if row.epoch != n.Epoch || row.State != Active {
		return 0, ErrChanged
	}
	return row.revokedThrough, row.check()
}

// lockLive makes sure that a token of a user is live, and stays so until the commit. Errors:
// ErrNotFound.
func (t transaction) lockLive(id TokenID, uid uint32, at int64) error {
	rows, err := t.exec(`UPDATE tokens SET used_at = used_at
		WHERE uid = $1 AND issued_at = $2 AND serial = $3 AND ends_at > $4 AND uid = $5`,
		id.UID, id.IssuedAt, id.Serial, at, uid)
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return err
}

// newTokenID draws the next id of a user in this second, above every ended one.
func (t transaction) newTokenID(uid uint32, at, endedThrough int64) (TokenID, error) {
	var serial int64
	err := t.scan(
		"SELECT COALESCE(MAX(serial), -1) + 1 FROM tokens WHERE uid = $1 AND issued_at = $2",
		[]any{uid, at}, &serial)
	if err != nil {
		return TokenID{}, err
	}
	first := TokenID{IssuedAt: at}.Order()
	if endedThrough > first+MaxSerial {
		return TokenID{}, ErrClock
	}
	if serial = max(serial, endedThrough-first+1); serial > MaxSerial {
		return TokenID{}, ErrSerialsExhausted
	}
	return TokenID{UID: uid, IssuedAt: at, Serial: uint16(serial)}, nil
}

// insertToken stores a token unless its key was retired meanwhile.
func (t transaction) insertToken(k Token) error {
	rows, err := t.exec(`INSERT INTO tokens (uid, issued_at, serial, expires_at, ends_at, kind,
			client_type, scope, label, login_at, key_id, used_at, user_agent, address)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, id, 0, $11, $12 FROM keys WHERE id = $13`,
		k.ID.UID, k.ID.IssuedAt, k.ID.Serial, k.ExpiresAt, k.EndsAt, k.Kind, k.ClientType, k.Scope,
		k.Label, k.LoginAt, k.UserAgent, k.Address, k.keyID)
	if err == nil && rows == 0 {
		err = ErrRetired
	}
	return err
}

//nolint:gosec // names of columns, no credentials
const tokenColumns = `uid, issued_at, serial, expires_at, ends_at, kind, client_type, scope, label,
	login_at, used_at, user_agent, address`

// tokenFields are the places of tokenColumns in a Token.
func tokenFields(t *Token) []any {
	return []any{&t.ID.UID, &t.ID.IssuedAt, &t.ID.Serial, &t.ExpiresAt, &t.EndsAt, &t.Kind,
		&t.ClientType, &t.Scope, &t.Label, &t.LoginAt, &t.UsedAt, &t.UserAgent, &t.Address}
}

// TokenByID returns what is remembered of a token, or ErrNotFound.
func (s *Store) TokenByID(ctx context.Context, id TokenID) (Token, error) {
	var t Token
	err := s.scan(ctx, "SELECT "+tokenColumns+
		" FROM tokens WHERE uid = $1 AND issued_at = $2 AND serial = $3",
		[]any{id.UID, id.IssuedAt, id.Serial}, tokenFields(&t)...)
	return t, err
}

// TokenFilter selects the live tokens of a user, newest first.
type TokenFilter struct {
	UID    uint32
	Before TokenID // only older ones: the last of the previous page; zero: from the newest
	Limit  int     // at most so many
}

// Tokens returns a page of a user's live tokens.
func (s *Store) Tokens(ctx context.Context, f TokenFilter) ([]Token, error) {
	before := f.Before
	if before == (TokenID{}) {
		before.IssuedAt = 1 << 40
	}
	var tokens []Token
	err := s.all(ctx, "SELECT "+tokenColumns+` FROM tokens
		WHERE uid = $1 AND (issued_at, serial) < ($2, $3) AND ends_at > $4
		ORDER BY issued_at DESC, serial DESC LIMIT $5`,
		[]any{f.UID, before.IssuedAt, before.Serial, now(), f.Limit},
		func(scan func(...any) error) error {
			var t Token
			err := scan(tokenFields(&t)...)
			tokens = append(tokens, t)
			return err
		})
	return tokens, err
}
