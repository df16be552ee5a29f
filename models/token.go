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
	AnyKind      Kind = 0 // requires no certain kind; no token has it
	LoginToken   Kind = 1 // for a login; it can be renewed
	ServiceToken Kind = 2 // for a program, with a label and a longer lifetime; it cannot be renewed
)

// String returns the word that the API and the command line use.
func (k Kind) String() string {
	switch k {
	case LoginToken:
		return "login"
	case ServiceToken:
		return "service"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Token is what the store knows about an issued token. The signed token itself is not stored.
type Token struct {
	ID         TokenID
	ExpiresAt  int64 // Unix seconds: refused from this second on
	EndsAt     int64 // Unix seconds: ExpiresAt, or earlier if it was revoked; 0: revoked at once
	Kind       Kind
	ClientType ClientType
	Scope      Scope
	Label      string // of a service token
	LoginAt    int64  // Unix seconds: the login from which it was renewed
	UsedAt     int64  // Unix seconds; 0: never
	UserAgent  string // of the client that it was issued to
	Address    string // of the client that it was issued to, or "command line"
	keyID      int64  // of the signing key
}

// NewToken is a token to issue. It needs a login or a token: Epoch is that of the credentials that
// the login was checked against, From is the token.
type NewToken struct {
	UID             uint32
	Epoch           int64
	From            TokenID // a live token of the same user
	RevokeFromAfter int64   // seconds after which From is revoked; 0: it is not
	Kind            Kind
	ClientType      ClientType
	Scope           Scope
	Label           string
	Lifetime        int64  // seconds
	LoginAt         int64  // Unix seconds: the login from which it is renewed; 0: now
	MaxLive         int    // limit of the user's live tokens, at most MaxLiveTokens; 0: none
	LimitReason     string // of the revocations that MaxLive requires
	UserAgent       string
	Address         string
}

// CreateToken stores a token if the account is active and still has the epoch, or From is live. It
// chooses the token's second and serial, then calls sign with the token, which returns the id of
// the signing key; if sign fails, nothing is stored. At the limit a login token takes the place of
// other tokens: of From if it is renewed, then of the oldest login tokens, then of the oldest
// service tokens. The revocations are those of From and of these. Errors: ErrChanged,
// ErrTokenLimit for a service token, ErrSerialsExhausted, ErrClock, ErrRetired, and those of sign.
func (s *Store) CreateToken(
	ctx context.Context, n NewToken, sign func(Token) (keyID int64, err error),
) (token Token, revoked []Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		at := now()
		revokedThrough, err := t.admit(n, at)
		if errors.Is(err, ErrNotFound) {
			return ErrChanged
		}
		if err != nil {
			return err
		}
		if revoked, err = t.makeRoom(n, at); err != nil {
			return err
		}
		token = n.issuedAt(at)
		if token.ID, err = t.newTokenID(n.UID, at, revokedThrough); err != nil {
			return err
		}
		if token.keyID, err = sign(token); err != nil {
			return err
		}
		if err := t.insertToken(token); err != nil {
			return err
		}
		if n.RevokeFromAfter > 0 {
			from, err := t.revokeToken(n.From, at+n.RevokeFromAfter, "renewed")
			revoked = append(revoked, from)
			return err
		}
		return nil
	})
	return token, revoked, err
}

// issuedAt returns the token without its serial.
func (n NewToken) issuedAt(at int64) Token {
	t := Token{ID: TokenID{UID: n.UID, IssuedAt: at}, Kind: n.Kind, ClientType: n.ClientType,
		Scope: n.Scope, Label: n.Label, LoginAt: n.LoginAt, ExpiresAt: at + n.Lifetime,
		EndsAt: at + n.Lifetime, UserAgent: n.UserAgent, Address: n.Address}
	if t.LoginAt == 0 {
		t.LoginAt = at
	}
	return t
}

// admit checks that the user may be issued the token, and locks the user, so that until the commit
// the account does not change and gets no other token. It returns the order up to which no token is
// issued any more. Errors: ErrNotFound, ErrChanged.
func (t *transaction) admit(n NewToken, at int64) (revokedThrough int64, err error) {
	login := at
	if n.LoginAt != 0 {
		login = 0 // not a login: the time of the last one stays
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

// lockLive checks that a user's token is live, and keeps it so until the commit. Errors:
// ErrNotFound.
func (t *transaction) lockLive(id TokenID, uid uint32, at int64) error {
	rows, err := t.exec(`UPDATE tokens SET used_at = used_at
		WHERE uid = $1 AND issued_at = $2 AND serial = $3 AND ends_at > $4 AND uid = $5`,
		id.UID, id.IssuedAt, id.Serial, at, uid)
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return err
}

// newTokenID returns the user's next id in this second, above those of RevokeAll and CloseOrders.
func (t *transaction) newTokenID(uid uint32, at, revokedThrough int64) (TokenID, error) {
	var serial int64
	err := t.scan(
		"SELECT COALESCE(MAX(serial), -1) + 1 FROM tokens WHERE uid = $1 AND issued_at = $2",
		[]any{uid, at}, &serial)
	if err != nil {
		return TokenID{}, err
	}
	first := TokenID{IssuedAt: at}.Order()
	if revokedThrough > first+MaxSerial {
		return TokenID{}, ErrClock
	}
	if serial = max(serial, revokedThrough-first+1); serial > MaxSerial {
		return TokenID{}, ErrSerialsExhausted
	}
	return TokenID{UID: uid, IssuedAt: at, Serial: uint16(serial)}, nil
}

// insertToken stores a token. Errors: ErrRetired if its signing key no longer exists.
func (t *transaction) insertToken(token Token) error {
	rows, err := t.exec(`INSERT INTO tokens (uid, issued_at, serial, expires_at, ends_at, kind,
			client_type, scope, label, login_at, key_id, used_at, user_agent, address)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, id, 0, $11, $12 FROM keys WHERE id = $13`,
		token.ID.UID, token.ID.IssuedAt, token.ID.Serial, token.ExpiresAt, token.EndsAt, token.Kind,
		token.ClientType, token.Scope, token.Label, token.LoginAt, token.UserAgent, token.Address,
		token.keyID)
	if err == nil && rows == 0 {
		err = ErrRetired
	}
	return err
}

//nolint:gosec // column names, not credentials
const tokenColumns = `uid, issued_at, serial, expires_at, ends_at, kind, client_type, scope, label,
	login_at, used_at, user_agent, address`

// fields are the destinations of tokenColumns.
func (t *Token) fields() []any {
	return []any{&t.ID.UID, &t.ID.IssuedAt, &t.ID.Serial, &t.ExpiresAt, &t.EndsAt, &t.Kind,
		&t.ClientType, &t.Scope, &t.Label, &t.LoginAt, &t.UsedAt, &t.UserAgent, &t.Address}
}

// TokenByID returns a token. Errors: ErrNotFound.
func (s *Store) TokenByID(ctx context.Context, id TokenID) (Token, error) {
	var t Token
	err := s.scan(ctx, "SELECT "+tokenColumns+
		" FROM tokens WHERE uid = $1 AND issued_at = $2 AND serial = $3",
		[]any{id.UID, id.IssuedAt, id.Serial}, t.fields()...)
	return t, err
}

// TokenFilter selects a page of a user's live tokens.
type TokenFilter struct {
	UID    uint32
	Before TokenID // only older tokens than this, the last of the previous page; zero: all
	Limit  int     // tokens of the page
}

// Tokens returns a page of a user's live tokens, the newest first.
func (s *Store) Tokens(ctx context.Context, f TokenFilter) ([]Token, error) {
	before := f.Before
	if before == (TokenID{}) {
		before.IssuedAt = 1 << 40
	}
	var tokens []Token
	err := s.all(ctx, "SELECT "+tokenColumns+` FROM tokens
		WHERE uid = $1 AND (issued_at, serial) < ($2, $3) AND ends_at > $4
		ORDER BY issued_at DESC, serial DESC LIMIT $5`,
		[]any{f.UID, before.IssuedAt, before.Serial, now(), f.Limit}, func(scan scanFunc) error {
			var t Token
			err := scan(t.fields()...)
			tokens = append(tokens, t)
			return err
		})
	return tokens, err
}
