-- +goose Up

-- Failed logins. The subject is the limit key, a keyed hash of an account with a network, a
-- network, or a device.
CREATE TABLE attempts (
    subject   BYTEA  PRIMARY KEY,
    failed_at BIGINT NOT NULL,              -- the last of them
    clears_at BIGINT NOT NULL               -- when none of them counts any longer
);

CREATE INDEX attempts_failed_at ON attempts (failed_at);
