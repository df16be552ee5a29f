-- +goose Up

-- A token is refused from ends_at on: its expiry, or earlier when it was ended; 0 when that was at once, so that no
-- clock that stands wrong can revive it.
ALTER TABLE tokens ADD COLUMN ends_at  BIGINT   NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN kind     SMALLINT NOT NULL DEFAULT 1;  -- 1 of a login, 2 of a service
ALTER TABLE tokens ADD COLUMN label    TEXT     NOT NULL DEFAULT ''; -- of a service's token
ALTER TABLE tokens ADD COLUMN login_at BIGINT   NOT NULL DEFAULT 0;  -- of the login that its renewals go back to
ALTER TABLE tokens ADD COLUMN key_id   BIGINT   NOT NULL DEFAULT 0;  -- of the key that signed it
ALTER TABLE tokens ADD COLUMN used_at  BIGINT   NOT NULL DEFAULT 0;  -- 0: never

UPDATE tokens SET
    ends_at  = CASE WHEN ended_at = 0 THEN expires_at ELSE 0 END,
    login_at = issued_at,
    key_id   = (SELECT COALESCE(MAX(id), 0) FROM keys);

ALTER TABLE tokens DROP COLUMN ended_at;

CREATE INDEX tokens_key ON tokens (key_id, ends_at);

ALTER TABLE keys ADD COLUMN signs_at BIGINT NOT NULL DEFAULT 0; -- it signs from here on, until a later key does

UPDATE keys SET signs_at = created_at;

-- Refused from here on; 0: at once, whatever the clock says.
ALTER TABLE endings ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;

-- The number of the newest change to the keys.
INSERT INTO sequences (name, value) VALUES ('ring', 0);

-- When the newest administrator was made, in Unix seconds: links for the first one from before are spent.
INSERT INTO sequences (name, value) VALUES ('setup', 0);

-- The scopes that the operator named; a number stays with its name for ever.
CREATE TABLE scopes (
    number SMALLINT PRIMARY KEY CHECK (number BETWEEN 3 AND 255),
    name   TEXT     NOT NULL UNIQUE
);

-- The one link of each user by which the secret can be set anew.
CREATE TABLE resets (
    uid       BIGINT   PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    issued_at BIGINT   NOT NULL,
    serial    SMALLINT NOT NULL
);

ALTER TABLE users ADD COLUMN nickname_key TEXT NOT NULL DEFAULT ''; -- case-folded, for searching

UPDATE users SET nickname_key = lower(nickname);
