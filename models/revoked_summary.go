package models

import (
	"context"
	"errors"
	"slices"
)

// RevokedSummary says in little space which tokens of a user are revoked or expired: every one up
// to an order, except some. A token that is issued later has a higher order.
type RevokedSummary struct {
	Through int64   // order of the newest token that is covered; 0: none
	Except  []int64 // orders of the live tokens among them, ascending; at most MaxLiveTokens
}

// CloseOrders makes the summary of a user cover every token that was issued so far. No token up to
// the newest of them is issued any more, even by a node whose clock is behind. A deleted user is no
// error.
func (s *Store) CloseOrders(ctx context.Context, uid uint32) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		row, err := t.lockUser(uid)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var order int64
		err = t.scan(`SELECT COALESCE(MAX(issued_at * 4096 + serial), 0) FROM tokens
			WHERE uid = $1 AND issued_at = (SELECT MAX(issued_at) FROM tokens WHERE uid = $2)`,
			[]any{uid, uid}, &order)
		if err != nil || order <= row.revokedThrough {
			return err
		}
		row.revokedThrough = order
		return t.storeUser(row)
	})
}

// RevokedSummary returns the summary of a user. It is zero for a deleted user, and for one with
// more live tokens than a summary can hold.
func (s *Store) RevokedSummary(ctx context.Context, uid uint32) (RevokedSummary, error) {
	var row userRow
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", []any{uid},
		row.fields()...)
	if errors.Is(err, ErrNotFound) {
		return RevokedSummary{}, nil
	}
	if err == nil {
		err = row.check()
	}
	if err != nil {
		return RevokedSummary{}, err
	}
	summary := RevokedSummary{Through: row.revokedThrough}
	for _, kind := range []Kind{LoginToken, ServiceToken} {
		if err := s.addLive(ctx, &summary, uid, kind); err != nil {
			return RevokedSummary{}, err
		}
	}
	if len(summary.Except) > MaxLiveTokens {
		return RevokedSummary{}, nil
	}
	slices.Sort(summary.Except)
	return summary, nil
}

// addLive adds the live tokens of one kind to a summary.
func (s *Store) addLive(ctx context.Context, summary *RevokedSummary, uid uint32, kind Kind) error {
	return s.all(ctx, `SELECT issued_at, serial FROM tokens
		WHERE uid = $1 AND kind = $2 AND ends_at > $3 LIMIT $4`,
		[]any{uid, kind, now(), MaxLiveTokens + 1}, func(scan scanFunc) error {
			var id TokenID
			err := scan(&id.IssuedAt, &id.Serial)
			if id.Order() <= summary.Through {
				summary.Except = append(summary.Except, id.Order())
			}
			return err
		})
}
