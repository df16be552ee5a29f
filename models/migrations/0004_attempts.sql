-- +goose Up

-- Wrong tries at logging in. A subject is a keyed hash: an account from a network, a network, a device.
CREATE TABLE attempts (
    subject   BYTEA  PRIMARY KEY,
    failed_at BIGINT NOT NULL,              -- the last wrong one
    clears_at BIGINT NOT NULL               -- when all of them are forgotten
);

CREATE INDEX attempts_failed_at ON attempts (failed_at);
