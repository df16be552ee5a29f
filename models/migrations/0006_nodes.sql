-- +goose Up

-- Milliseconds: very many tries an hour may be allowed.
UPDATE attempts SET failed_at = failed_at * 1000, clears_at = clears_at * 1000;

-- The servers that have this database, and what each knows of the keys.
CREATE TABLE nodes (
    id      TEXT   PRIMARY KEY,
    name    TEXT   NOT NULL,                -- of the machine
    lag     BIGINT NOT NULL,                -- seconds: it accepts no token when it has not read for so long
    ring    BIGINT NOT NULL,                -- number of the newest change to the keys that it knows
    seen_at BIGINT NOT NULL
);
