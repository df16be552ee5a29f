package models

import (
	"context"
	"errors"
)

// Ending says that a token, or every token of a user up to one, has ended before its time.
// Servers follow the endings by their number, so that verifying a token needs no lookup.
type Ending struct {
	Seq        int64 // its number; 0 when nothing ended
	Through    TokenID
	EarlierToo bool  // every token of the user up to Through, not that one alone
	ExpiresAt  int64 // Unix seconds: when the last of these tokens would have expired anyway
	EndedAt    int64 // Unix seconds
	Reason     string
}

// EndToken ends one token. Ending what has ended or expired already, or was never issued, is no
// error: the ending returned is zero.
func (s *Store) EndToken(ctx context.Context, id TokenID, reason string) (Ending, error) {
	var ending Ending
	err := s.inTransaction(ctx, func(t transaction) error {
		at := now()
		var expires int64
		err := t.scan(`UPDATE tokens SET ended_at = $1
			WHERE uid = $2 AND issued_at = $3 AND serial = $4 AND ended_at = 0 AND expires_at > $5
			RETURNING expires_at`, []any{at, id.UID, id.IssuedAt, id.Serial, at}, &expires)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ending, err = t.addEnding(
			Ending{Through: id, ExpiresAt: expires, EndedAt: at, Reason: reason},
		)
		return err
	})
	return ending, err
}

// endAll ends every live token of a user.
func (t transaction) endAll(uid uint32, reason string) (Ending, error) {
	at := now()
	var order, expires int64
	err := t.scan(
		`SELECT COALESCE(MAX(issued_at * 4096 + serial), 0), COALESCE(MAX(expires_at), 0)
		FROM tokens WHERE uid = $1 AND expires_at > $2`,
		[]any{uid, at},
		&order,
		&expires,
	)
	if err != nil || order == 0 {
		return Ending{}, err
	}
	if _, err := t.exec("UPDATE tokens SET ended_at = $1 WHERE uid = $2 AND ended_at = 0",
		at, uid); err != nil {
		return Ending{}, err
	}
	if _, err := t.exec(
		`UPDATE users SET ended_through = $1 WHERE id = $2 AND ended_through < $3`,
		order,
		uid,
		order,
	); err != nil {
		return Ending{}, err
	}
	through := TokenID{UID: uid, IssuedAt: order >> 12, Serial: uint16(order & MaxSerial)}
	return t.addEnding(Ending{Through: through, EarlierToo: true, ExpiresAt: expires,
		EndedAt: at, Reason: reason})
}

func (t transaction) addEnding(e Ending) (Ending, error) {
	seq, err := t.next("ending")
	if err != nil {
		return Ending{}, err
	}
	e.Seq = seq
	earlier := 0
	if e.EarlierToo {
		earlier = 1
	}
	_, err = t.exec(
		`INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ended_at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.Seq,
		e.Through.UID,
		e.Through.Order(),
		earlier,
		e.ExpiresAt,
		e.EndedAt,
		e.Reason,
	)
	return e, err
}

// EndingsAfter returns, in order, the endings with a number above seq that still matter: those of
// tokens that have not expired by now.
func (s *Store) EndingsAfter(ctx context.Context, seq int64) ([]Ending, error) {
	var endings []Ending
	err := s.all(ctx, `SELECT seq, uid, token_order, earlier_too, expires_at, ended_at, reason
		FROM endings WHERE seq > $1 AND expires_at > $2 ORDER BY seq`, []any{seq, now()},
		func(scan func(...any) error) error {
			var e Ending
			var order, earlier int64
			err := scan(
				&e.Seq,
				&e.Through.UID,
				&order,
				&earlier,
				&e.ExpiresAt,
				&e.EndedAt,
				&e.Reason,
			)
			e.Through.IssuedAt, e.Through.Serial = order>>12, uint16(order&MaxSerial)
			e.EarlierToo = earlier == 1
			endings = append(endings, e)
			return err
		})
	return endings, err
}

// Purge forgets tokens and endings that expired before the given Unix second, at most limit of
// each, and returns how many rows went. It is called again until it returns 0.
func (s *Store) Purge(ctx context.Context, before int64, limit int) (int64, error) {
	var gone int64
	err := s.inTransaction(ctx, func(t transaction) error {
		tokens, err := t.exec(`DELETE FROM tokens WHERE (uid, issued_at, serial) IN
			(SELECT uid, issued_at, serial FROM tokens WHERE expires_at < $1 LIMIT $2)`, before, limit)
		if err != nil {
			return err
		}
		endings, err := t.exec(`DELETE FROM endings WHERE seq IN
			(SELECT seq FROM endings WHERE expires_at < $1 LIMIT $2)`, before, limit)
		gone = tokens + endings
		return err
	})
	return gone, err
}
