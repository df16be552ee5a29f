-- +goose Up

-- Milliseconds, because very many attempts an hour can be allowed.
UPDATE attempts SET failed_at = failed_at * 1000, clears_at = clears_at * 1000;

-- The servers that use this database, and what each knows of the signing keys.
CREATE TABLE nodes (
    id      TEXT   PRIMARY KEY,
    name    TEXT   NOT NULL,                -- of the machine
    lag     BIGINT NOT NULL,                -- seconds that it works without reading
    ring    BIGINT NOT NULL,                -- newest change to the keys that it knows
    seen_at BIGINT NOT NULL
);
