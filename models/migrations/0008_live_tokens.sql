-- +goose Up

-- Finds the live tokens of a user, of one kind, however many have been revoked.
CREATE INDEX tokens_live ON tokens (uid, kind, ends_at);
