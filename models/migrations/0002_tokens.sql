-- +goose Up

-- A token is refused from ends_at on: its expiry, or earlier if it was revoked. 0 if it was
-- revoked at once, so that a wrong clock cannot make it valid again.
ALTER TABLE tokens ADD COLUMN ends_at  BIGINT   NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN kind     SMALLINT NOT NULL DEFAULT 1;  -- 1 login, 2 service
ALTER TABLE tokens ADD COLUMN label    TEXT     NOT NULL DEFAULT ''; -- of a service token
ALTER TABLE tokens ADD COLUMN login_at BIGINT   NOT NULL DEFAULT 0;  -- of the first login
ALTER TABLE tokens ADD COLUMN key_id   BIGINT   NOT NULL DEFAULT 0;  -- of the signing key
ALTER TABLE tokens ADD COLUMN used_at  BIGINT   NOT NULL DEFAULT 0;  -- 0: never

UPDATE tokens SET
    ends_at  = CASE WHEN ended_at = 0 THEN expires_at ELSE 0 END,
    login_at = issued_at,
    key_id   = (SELECT COALESCE(MAX(id), 0) FROM keys);

ALTER TABLE tokens DROP COLUMN ended_at;

CREATE INDEX tokens_key ON tokens (key_id, ends_at);

ALTER TABLE keys ADD COLUMN signs_at BIGINT NOT NULL DEFAULT 0; -- until a later key signs

UPDATE keys SET signs_at = created_at;

-- Refused from then on; 0: at once, whatever the clock says.
ALTER TABLE endings ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;

-- The number of the newest change to the signing keys.
INSERT INTO sequences (name, value) VALUES ('ring', 0);

-- When the newest administrator was created, in Unix seconds: earlier links to create the first
-- one no longer work.
INSERT INTO sequences (name, value) VALUES ('setup', 0);

-- The operator's scopes. A name keeps its number for ever.
CREATE TABLE scopes (
    number SMALLINT PRIMARY KEY CHECK (number BETWEEN 3 AND 255),
    name   TEXT     NOT NULL UNIQUE
);

-- The link with which a user can set a new password.
CREATE TABLE resets (
    uid       BIGINT   PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    issued_at BIGINT   NOT NULL,
    serial    SMALLINT NOT NULL
);

ALTER TABLE users ADD COLUMN nickname_key TEXT NOT NULL DEFAULT ''; -- case-folded, for searching

UPDATE users SET nickname_key = lower(nickname);
