package models

import (
	"context"
	"errors"
)

// Revocation says that one token, or every token of a user up to one, was revoked. The store
// numbers the revocations and processes read them in that order, so that verifying a token needs no
// query.
type Revocation struct {
	Through    TokenID // the token, or the newest of the tokens; zero if none was revoked
	EarlierToo bool    // every token of the user up to Through
	EndsAt     int64   // Unix seconds: refused from this second on; 0: at once
	ExpiresAt  int64   // Unix seconds: when the last of the tokens expires anyway
}

// IsZero reports whether no token was revoked.
func (r Revocation) IsZero() bool { return r == Revocation{} }

// Head holds the newest numbers of what processes read from the store.
type Head struct {
	Revocations int64 // number of the newest revocation
	Checksum    int64 // of all revocations: see Revocations
	Ring        int64 // number of the newest change to the signing keys
}

// Head returns the newest numbers.
func (s *Store) Head(ctx context.Context) (Head, error) {
	var h Head
	if err := s.engine.checkFile(); err != nil {
		return h, err
	}
	err := s.scan(ctx, `SELECT (SELECT value FROM sequences WHERE name = $1),
		(SELECT value FROM sequences WHERE name = $2),
		(SELECT value FROM sequences WHERE name = $3)`,
		[]any{revocationSequence, revocationChecksum, keyRingSequence},
		&h.Revocations, &h.Checksum, &h.Ring)
	return h, err
}

// RevokeToken revokes one token, even if it has expired: a wrong clock must not make it valid
// again. It returns a zero Revocation if the token was already revoked or never issued.
func (s *Store) RevokeToken(
	ctx context.Context, id TokenID, reason string,
) (revoked Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		revoked, err = t.revokeToken(id, 0, reason)
		return err
	})
	return revoked, err
}

// revokeToken revokes one token from a second on, 0 for at once, unless it ends earlier.
func (t *transaction) revokeToken(id TokenID, from int64, reason string) (Revocation, error) {
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

// RevokeOthers revokes every token of a user except one.
func (s *Store) RevokeOthers(
	ctx context.Context, except TokenID, reason string,
) (revoked []Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		ids, err := t.unrevoked(except.UID)
		if err != nil {
			return err
		}
		revoked = nil
		for _, id := range ids {
			if id == except {
				continue
			}
			r, err := t.revokeToken(id, 0, reason)
			if err != nil {
				return err
			}
			revoked = append(revoked, r)
		}
		return nil
	})
	return revoked, err
}

// unrevoked returns the tokens of a user that are not revoked, expired or not.
func (t *transaction) unrevoked(uid uint32) (ids []TokenID, err error) {
	rows, err := t.query("SELECT issued_at, serial FROM tokens WHERE uid = $1 AND ends_at > 0", uid)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan scanFunc) error {
		id := TokenID{UID: uid}
		err := scan(&id.IssuedAt, &id.Serial)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// RevokeAll revokes every token of a user.
func (s *Store) RevokeAll(
	ctx context.Context, uid uint32, reason string,
) (revoked Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		row, err := t.lockUser(uid)
		if errors.Is(err, ErrNotFound) {
			return nil // an unknown user has no tokens
		}
		if err != nil {
			return err
		}
		if revoked, err = t.revokeAll(&row, reason); err != nil {
			return err
		}
		return t.storeUser(row)
	})
	return revoked, err
}

// revokeAll revokes every token of a user, expired or not. The caller stores the row.
func (t *transaction) revokeAll(row *userRow, reason string) (Revocation, error) {
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
		Revocation{Through: tokenAt(row.ID, order), EarlierToo: true, ExpiresAt: expires}, reason)
}

func (t *transaction) addRevocation(r Revocation, reason string) (Revocation, error) {
	t.destructive = true
	seq, err := t.next(revocationSequence)
	if err != nil {
		return Revocation{}, err
	}
	earlier := 0
	if r.EarlierToo {
		earlier = 1
	}
	_, err = t.exec(
		`INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		seq, r.Through.UID, r.Through.Order(), earlier, r.ExpiresAt, r.EndsAt, now(), reason)
	if err != nil {
		return Revocation{}, err
	}
	return r, t.updateChecksum(r.checksum(seq))
}

const revocationColumns = "seq, uid, token_order, earlier_too, expires_at, ends_at"

func scanRevocation(scan scanFunc) (r Revocation, seq int64, err error) {
	var uid uint32
	var order int64
	err = scan(&seq, &uid, &order, &r.EarlierToo, &r.ExpiresAt, &r.EndsAt)
	r.Through = tokenAt(uid, order)
	return r, seq, err
}

// Revocations calls add for each revocation with a number above after, up to through. It returns
// the checksum of what it found. For all revocations that is Head's checksum, unless some were
// added or purged in the meantime, or are damaged.
func (s *Store) Revocations(
	ctx context.Context, after, through int64, add func(Revocation),
) (checksum int64, err error) {
	const maxBatch = 50_000 // rows of a query, so that each stays short
	for count := maxBatch; count == maxBatch; {
		count = 0
		err = s.all(ctx, "SELECT "+revocationColumns+` FROM endings WHERE seq > $1 AND seq <= $2
			ORDER BY seq LIMIT $3`, []any{after, through, maxBatch}, func(scan scanFunc) error {
			r, seq, err := scanRevocation(scan)
			if err == nil {
				add(r)
				checksum ^= r.checksum(seq)
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

// RevocationsWhy calls next for each revocation numbered above after, up to through, whose reason
// ends with a text without % and _.
func (s *Store) RevocationsWhy(
	ctx context.Context, after, through int64, ending string, next func(Revocation, string),
) error {
	return s.all(ctx, "SELECT "+revocationColumns+`, reason FROM endings
		WHERE seq > $1 AND seq <= $2 AND reason LIKE $3 ORDER BY seq`,
		[]any{after, through, "%" + ending}, func(scan scanFunc) error {
			var reason string
			r, _, err := scanRevocation(func(dest ...any) error { return scan(append(dest, &reason)...) })
			if err == nil {
				next(r, reason)
			}
			return err
		})
}

// RevocationReason returns when a token was revoked, in Unix seconds, and why. Errors: ErrNotFound
// if it was not.
func (s *Store) RevocationReason(
	ctx context.Context, id TokenID,
) (at int64, reason string, err error) {
	err = s.scan(ctx, `SELECT ended_at, reason FROM endings
		WHERE uid = $1 AND ((earlier_too = 0 AND token_order = $2)
			OR (earlier_too = 1 AND token_order >= $3))
		ORDER BY seq LIMIT 1`, []any{id.UID, id.Order(), id.Order()}, &at, &reason)
	return at, reason, err
}
