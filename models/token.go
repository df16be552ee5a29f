package models

import (
	"context"
	"errors"
	"fmt"
)

// MaxSerial is the highest serial: a user can be given 4,096 tokens in one second.
const MaxSerial = 4095

// TokenID names one token for ever: its owner, the second it was issued in, and its number within
// that second. It is no secret; logs, lists and commands name a token by it.
type TokenID struct {
	UID      uint32
	IssuedAt int64 // Unix seconds
	Serial   uint16
}

// String is the id in text: "7-1795421052-0".
func (id TokenID) String() string {
	return fmt.Sprintf("%d-%d-%d", id.UID, id.IssuedAt, id.Serial)
}

// Order is the position among the tokens of one user: a later token has a higher one.
func (id TokenID) Order() int64 { return id.IssuedAt<<12 | int64(id.Serial) }

// Token is what is remembered of a token that was issued. The token itself is not stored.
type Token struct {
	ID         TokenID
	ExpiresAt  int64 // Unix seconds: refused from this second on
	ClientType ClientType
	Scope      Scope
	UserAgent  string // of the client it was issued to
	Address    string // of the client it was issued to, or "command line"
	EndedAt    int64  // Unix seconds, 0 while it has not been ended
}

// NewToken is what CreateToken needs.
type NewToken struct {
	UID        uint32
	Epoch      int64   // of the credentials that a login was checked against; or
	From       TokenID // a live token of the same user that asks for this one
	ClientType ClientType
	Scope      Scope
	Lifetime   int64 // seconds
	UserAgent  string
	Address    string
}

// CreateToken stores a token if the account is active and still has the epoch, or if the token it
// is asked from is live. The id's second and serial are chosen here; sign is called with the
// whole token just before the commit, and its error undoes everything. Errors: ErrChanged,
// ErrSerials, ErrClock, and sign's.
func (s *Store) CreateToken(
	ctx context.Context,
	n NewToken,
	sign func(Token) error,
) (Token, error) {
	t := Token{
		ClientType: n.ClientType,
		Scope:      n.Scope,
		UserAgent:  n.UserAgent,
		Address:    n.Address,
	}
	err := s.inTransaction(ctx, func(tx transaction) error {
		at := now()
		endedThrough, err := tx.admit(n, at)
		if errors.Is(err, ErrNotFound) {
			return ErrChanged
		}
		if err != nil {
			return err
		}
		if t.ID, err = tx.newTokenID(n.UID, at, endedThrough); err != nil {
			return err
		}
		t.ExpiresAt = at + n.Lifetime
		if err := tx.insertToken(t); err != nil {
			return err
		}
		return sign(t)
	})
	return t, err
}

// admit checks that the account may be given the token and locks its row, so that no change of
// the account and no other token of it comes between. It returns the order up to which its tokens
// have ended.
func (t transaction) admit(n NewToken, at int64) (endedThrough int64, err error) {
	if n.From != (TokenID{}) {
		err = t.scan(`SELECT u.epoch FROM users u JOIN tokens k ON k.uid = u.id
			WHERE k.uid = $1 AND k.issued_at = $2 AND k.serial = $3 AND k.ended_at = 0 AND u.id = $4`,
			[]any{n.From.UID, n.From.IssuedAt, n.From.Serial, n.UID}, &n.Epoch)
		if err != nil {
			return 0, err
		}
	}
	err = t.scan(`UPDATE users SET last_login_at = $1
		WHERE id = $2 AND epoch = $3 AND state = $4 RETURNING ended_through`,
		[]any{at, n.UID, n.Epoch, Active}, &endedThrough)
	return endedThrough, err
}

// newTokenID draws the next id of a user in this second, above every ended one.
func (t transaction) newTokenID(uid uint32, at, endedThrough int64) (TokenID, error) {
	var serial int64
	err := t.scan(
		"SELECT COALESCE(MAX(serial), -1) + 1 FROM tokens WHERE uid = $1 AND issued_at = $2",
		[]any{uid, at},
		&serial,
	)
	if err != nil {
		return TokenID{}, err
	}
	first := TokenID{IssuedAt: at}.Order()
	if endedThrough > first+MaxSerial {
		return TokenID{}, ErrClock
	}
	if serial = max(serial, endedThrough-first+1); serial > MaxSerial {
		return TokenID{}, ErrSerials
	}
	return TokenID{UID: uid, IssuedAt: at, Serial: uint16(serial)}, nil
}

func (t transaction) insertToken(k Token) error {
	_, err := t.exec(
		`INSERT INTO tokens (uid, issued_at, serial, expires_at, client_type, scope,
			user_agent, address, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
		k.ID.UID,
		k.ID.IssuedAt,
		k.ID.Serial,
		k.ExpiresAt,
		k.ClientType,
		k.Scope,
		k.UserAgent,
		k.Address,
	)
	return err
}

// TokenByID returns what is remembered of a token, or ErrNotFound.
func (s *Store) TokenByID(ctx context.Context, id TokenID) (Token, error) {
	t := Token{ID: id}
	err := s.scan(ctx, `SELECT expires_at, client_type, scope, user_agent, address, ended_at
		FROM tokens WHERE uid = $1 AND issued_at = $2 AND serial = $3`,
		[]any{id.UID, id.IssuedAt, id.Serial},
		&t.ExpiresAt, &t.ClientType, &t.Scope, &t.UserAgent, &t.Address, &t.EndedAt)
	return t, err
}
