-- +goose Up

-- Names that the Go code no longer uses are explained in the package comment of models.

-- The newest number of each kind. A number is drawn in the transaction that uses it. The row stays
-- locked until the commit, so numbers are never reused and become visible in their order.
CREATE TABLE sequences (
    name  TEXT   PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO sequences (name, value) VALUES ('user', 0), ('ending', 0), ('key', 0);

CREATE TABLE users (
    id            BIGINT   PRIMARY KEY,
    account       TEXT     NOT NULL,            -- as typed
    account_key   TEXT     NOT NULL UNIQUE,     -- canonical
    client_type   SMALLINT NOT NULL,            -- 100 e-mail, 101 mobile number
    nickname      TEXT     NOT NULL,
    role          SMALLINT NOT NULL CHECK (role IN (1, 2)),
    state         SMALLINT NOT NULL CHECK (state IN (1, 2)),
    secret_hash   TEXT     NOT NULL,            -- PHC string
    epoch         BIGINT   NOT NULL,            -- grows when password, role or state change
    ended_through BIGINT   NOT NULL,            -- tokens up to this order are revoked
    created_at    BIGINT   NOT NULL,
    updated_at    BIGINT   NOT NULL,
    last_login_at BIGINT   NOT NULL             -- 0: never
);

CREATE INDEX users_role ON users (role, state);

CREATE TABLE tokens (
    uid         BIGINT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at   BIGINT   NOT NULL,
    serial      SMALLINT NOT NULL CHECK (serial BETWEEN 0 AND 4095),
    expires_at  BIGINT   NOT NULL,
    client_type SMALLINT NOT NULL,
    scope       SMALLINT NOT NULL,
    user_agent  TEXT     NOT NULL,
    address     TEXT     NOT NULL,
    ended_at    BIGINT   NOT NULL,              -- 0: not revoked
    PRIMARY KEY (uid, issued_at, serial)
);

CREATE INDEX tokens_expires_at ON tokens (expires_at);

-- The revocations, which each server reads in the order of seq. No reference to users: a
-- revocation outlives a deleted user.
CREATE TABLE endings (
    seq         BIGINT   PRIMARY KEY,
    uid         BIGINT   NOT NULL,
    token_order BIGINT   NOT NULL,              -- issued_at * 4096 + serial
    earlier_too SMALLINT NOT NULL,              -- 1: every token of uid up to token_order
    expires_at  BIGINT   NOT NULL,              -- when the last of these tokens expires
    ended_at    BIGINT   NOT NULL,
    reason      TEXT     NOT NULL
);

CREATE INDEX endings_expires_at ON endings (expires_at);

CREATE TABLE keys (
    id         BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    sealed     TEXT   NOT NULL                  -- base64, encrypted under the master key
);
