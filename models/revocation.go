package models

import (
	"context"
	"errors"
)

// Revocation says that a token, or every token of a user up to one, has ended before its time.
// The store numbers the endings; servers follow them by number, so that verifying a token needs no
// lookup.
type Revocation struct {
	Through    TokenID // zero when nothing ended
	EarlierToo bool    // every token of the user up to Through, not that one alone
	EndsAt     int64   // Unix seconds: refused from this second on
	ExpiresAt  int64   // Unix seconds: when the last of these tokens would have expired anyway
}

// Head is how far the store has come in what servers follow.
type Head struct {
	Revocations int64 // number of the newest ending
	Checksum    int64 // of all endings: see Endings
	Ring        int64 // number of the newest change to the keys
}

// Head returns how far the store has come.
func (s *Store) Head(ctx context.Context) (Head, error) {
	var h Head
	if err := s.engine.checkFile(); err != nil {
		return h, err
	}
	err := s.scan(ctx, `SELECT (SELECT value FROM sequences WHERE name = 'ending'),
		(SELECT value FROM sequences WHERE name = 'endings checksum'),
		(SELECT value FROM sequences WHERE name = 'ring')`, nil,
		&h.Revocations, &h.Checksum, &h.Ring)
	return h, err
}

// IsZero says that nothing ended.
func (e Revocation) IsZero() bool { return e == Revocation{} }

// RevokeToken ends one token, expired or not: a clock that stands wrong must not revive it. Ending
// what has ended already, or was never issued, is no error: the ending returned is zero.
func (s *Store) RevokeToken(ctx context.Context, id TokenID, reason string) (Revocation, error) {
	var ending Revocation
	err := s.inTransaction(ctx, func(t transaction) (err error) {
		ending, err = t.revokeToken(id, 0, reason)
		return err
	})
	return ending, err
}

// revokeToken ends one token from a second on, 0 for at once, unless it ends earlier anyway.
func (t transaction) revokeToken(id TokenID, from int64, reason string) (Revocation, error) {
	var expires int64
	err := t.scan(`UPDATE tokens SET ends_at = $1
		WHERE uid = $2 AND issued_at = $3 AND serial = $4 AND ends_at > $5 RETURNING expires_at`,
		[]any{from, id.UID, id.IssuedAt, id.Serial, from}, &expires)
	if errors.Is(err, ErrNotFound) {
		return Revocation{}, nil
	}
	if err != nil {
		return Revocation{}, err
	}
	return t.addRevocation(Revocation{Through: id, EndsAt: from, ExpiresAt: expires}, reason)
}

// RevokeOthers ends every token of a user but one.
func (s *Store) RevokeOthers(
	ctx context.Context, but TokenID, reason string,
) (endings []Revocation, err error) {
	err = s.inTransaction(ctx, func(t transaction) error {
		ids, err := t.unrevoked(but.UID)
		if err != nil {
			return err
		}
		endings = nil
		for _, id := range ids {
			if id == but {
				continue
			}
			ending, err := t.revokeToken(id, 0, reason)
			if err != nil {
				return err
			}
			endings = append(endings, ending)
		}
		return nil
	})
	return endings, err
}

// unrevoked names the tokens of a user that have not been ended, expired or not.
func (t transaction) unrevoked(uid uint32) ([]TokenID, error) {
	rows, err := t.query("SELECT issued_at, serial FROM tokens WHERE uid = $1 AND ends_at > 0", uid)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var ids []TokenID
	for rows.Next() {
		id := TokenID{UID: uid}
		if err := rows.Scan(&id.IssuedAt, &id.Serial); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// RevokeAll ends every token of a user.
func (s *Store) RevokeAll(ctx context.Context, uid uint32, reason string) (ending Revocation, err error) {
	err = s.inTransaction(ctx, func(t transaction) error {
		row, err := t.lockUser(uid)
		if errors.Is(err, ErrNotFound) {
			return nil // nor are there tokens
		}
		if err != nil {
			return err
		}
		if ending, err = t.revokeAll(&row, reason); err != nil {
			return err
		}
		return t.storeUser(row)
	})
	return ending, err
}

// revokeAll ends every token of a user, expired or not. The row remains to be stored.
func (t transaction) revokeAll(row *userRow, reason string) (Revocation, error) {
	var order, expires int64
	err := t.scan(`SELECT COALESCE(MAX(issued_at * 4096 + serial), 0), COALESCE(MAX(expires_at), 0)
		FROM tokens WHERE uid = $1`, []any{row.ID}, &order, &expires)
	if err != nil || order == 0 {
		return Revocation{}, err
	}
	if _, err := t.exec("UPDATE tokens SET ends_at = 0 WHERE uid = $1 AND ends_at > 0",
		row.ID); err != nil {
		return Revocation{}, err
	}
	row.revokedThrough = max(row.revokedThrough, order)
	return t.addRevocation(
		Revocation{Through: idOf(row.ID, order), EarlierToo: true, ExpiresAt: expires}, reason)
}

func (t transaction) addRevocation(e Revocation, reason string) (Revocation, error) {
	t.effects.destructive = true
	seq, err := t.next("ending")
	if err != nil {
		return Revocation{}, err
	}
	earlier := 0
	if e.EarlierToo {
		earlier = 1
	}
	_, err = t.exec(
		`INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		seq, e.Through.UID, e.Through.Order(), earlier, e.ExpiresAt, e.EndsAt, now(), reason)
	if err != nil {
		return Revocation{}, err
	}
	return e, t.updateChecksum(e.checksum(seq))
}

const revocationColumns = "seq, uid, token_order, earlier_too, expires_at, ends_at"

func scanRevocation(scan func(...any) error) (e Revocation, seq int64, err error) {
	var uid uint32
	var order int64
	err = scan(&seq, &uid, &order, &e.EarlierToo, &e.ExpiresAt, &e.EndsAt)
	e.Through = idOf(uid, order)
	return e, seq, err
}

// Revocations calls add for each ending with a number above after and up to through. Those of tokens
// that have long expired are there until they are purged. It returns the checksum of what it found:
// of all there are, it is the head's, or some were added or purged meanwhile, or are damaged.
func (s *Store) Revocations(
	ctx context.Context, after, through int64, add func(Revocation),
) (checksum int64, err error) {
	const most = 50_000 // rows a statement, so that none takes long
	for count := most; count == most; {
		count = 0
		err = s.all(ctx, "SELECT "+revocationColumns+` FROM endings WHERE seq > $1 AND seq <= $2
			ORDER BY seq LIMIT $3`, []any{after, through, most}, func(scan func(...any) error) error {
			e, seq, err := scanRevocation(scan)
			if err == nil {
				add(e)
				checksum ^= e.checksum(seq)
				count, after = count+1, seq
			}
			return err
		})
		if err != nil {
			return checksum, err
		}
	}
	return checksum, nil
}

// RevocationReason returns when a token was ended, in Unix seconds, and for what reason, or ErrNotFound for
// one that has not been.
func (s *Store) RevocationReason(ctx context.Context, id TokenID) (at int64, reason string, err error) {
	err = s.scan(ctx, `SELECT ended_at, reason FROM endings
		WHERE uid = $1 AND ((earlier_too = 0 AND token_order = $2)
			OR (earlier_too = 1 AND token_order >= $3))
		ORDER BY seq LIMIT 1`, []any{id.UID, id.Order(), id.Order()}, &at, &reason)
	return at, reason, err
}
