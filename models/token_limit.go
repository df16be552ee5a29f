package models

import "slices"

// MaxLiveTokens is the highest limit of live tokens for a user.
const MaxLiveTokens = 10_000

// maxRoom is how many tokens beyond one a new token revokes at most, where the limit was lowered.
const maxRoom = 100

// makeRoom revokes the tokens that must go so that the user, who is locked, can get one more.
// Errors: ErrTokenLimit for a service token.
func (t *transaction) makeRoom(n NewToken, at int64) (revoked []Revocation, err error) {
	if n.MaxLive == 0 {
		return nil, nil
	}
	logins, err := t.liveTokens(n, LoginToken, at)
	if err != nil {
		return nil, err
	}
	services, err := t.liveTokens(n, ServiceToken, at)
	if err != nil {
		return nil, err
	}
	excess := len(logins) + len(services) + 1 - n.MaxLive
	// The last place is kept for a login, so that no login has to revoke a service token.
	if n.Kind == ServiceToken && (excess > 0 || len(services)+1 >= n.MaxLive) {
		return nil, ErrTokenLimit
	}
	if excess <= 0 {
		return nil, nil
	}
	victims := slices.Concat(n.parentFirst(logins), services)
	for _, id := range victims[:min(excess, maxRoom+1)] {
		r, err := t.revokeToken(id, 0, n.LimitReason)
		if err != nil {
			return nil, err
		}
		revoked = append(revoked, r)
	}
	return revoked, nil
}

// liveTokens returns the live tokens of one kind, the oldest first. Of more than the limit and
// maxRoom it returns those that end first.
func (t *transaction) liveTokens(n NewToken, kind Kind, at int64) (ids []TokenID, err error) {
	rows, err := t.query(`SELECT issued_at, serial FROM tokens
		WHERE uid = $1 AND kind = $2 AND ends_at > $3 ORDER BY ends_at LIMIT $4`,
		n.UID, kind, at, n.MaxLive+maxRoom)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan scanFunc) error {
		id := TokenID{UID: n.UID}
		err := scan(&id.IssuedAt, &id.Serial)
		ids = append(ids, id)
		return err
	})
	slices.SortFunc(ids, TokenID.compare)
	return ids, err
}

// parentFirst moves the token that is renewed to the front: it is the one to go anyway.
func (n NewToken) parentFirst(ids []TokenID) []TokenID {
	i := slices.Index(ids, n.From)
	if n.RevokeFromAfter == 0 || i < 0 {
		return ids
	}
	return slices.Concat([]TokenID{n.From}, ids[:i], ids[i+1:])
}
