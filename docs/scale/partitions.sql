-- The table tokens in partitions by kind and expiry, so that what is old goes with its table in place of row by row.
-- docs/scale.md says when; nothing of this is in the migrations. Times are Unix seconds, day 20000 is 20000 * 86400.
-- measure.sh runs this file on a million tokens.

-- Once, while no node writes: the old table is copied.
BEGIN;
ALTER TABLE tokens RENAME TO tokens_before;
ALTER TABLE tokens_before RENAME CONSTRAINT tokens_pkey TO tokens_before_pkey;
ALTER INDEX tokens_key RENAME TO tokens_before_key;

-- A primary key must hold every column by which the table is partitioned, so kind and expires_at join it. That the
-- three others alone are unique is then held by CreateToken only, which has the user's row locked.
CREATE TABLE tokens (
    uid         BIGINT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at   BIGINT   NOT NULL,
    serial      SMALLINT NOT NULL CHECK (serial BETWEEN 0 AND 4095),
    expires_at  BIGINT   NOT NULL,
    client_type SMALLINT NOT NULL,
    scope       SMALLINT NOT NULL,
    user_agent  TEXT     NOT NULL,
    address     TEXT     NOT NULL,
    ends_at     BIGINT   NOT NULL DEFAULT 0,
    kind        SMALLINT NOT NULL DEFAULT 1,
    label       TEXT     NOT NULL DEFAULT '',
    login_at    BIGINT   NOT NULL DEFAULT 0,
    key_id      BIGINT   NOT NULL DEFAULT 0,
    used_at     BIGINT   NOT NULL DEFAULT 0,
    PRIMARY KEY (uid, issued_at, serial, kind, expires_at)
) PARTITION BY LIST (kind);
CREATE INDEX tokens_key ON tokens (key_id, ends_at);

-- Logins by the day, services by thirty days: their tokens live so much longer that days would be 180 tables, each
-- of which a look-up by the id alone must try.
CREATE TABLE tokens_login PARTITION OF tokens FOR VALUES IN (1) PARTITION BY RANGE (expires_at);
CREATE TABLE tokens_service PARTITION OF tokens FOR VALUES IN (2) PARTITION BY RANGE (expires_at);

-- tokens_prepare makes the tables for every expiry from one second up to another. A token whose table is not there
-- cannot be stored, so it is called daily and well ahead: the longest life and a week.
CREATE FUNCTION tokens_prepare(kind TEXT, days BIGINT, since BIGINT, until BIGINT) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    span BIGINT := days * 86400;
BEGIN
    FOR n IN since / span .. until / span LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS tokens_%1$s_%2$s PARTITION OF tokens_%1$s FOR VALUES FROM (%3$s) TO (%4$s)',
            kind, n * days, n * span, (n + 1) * span);
    END LOOP;
END $$;

SELECT tokens_prepare('login', 1, min(expires_at), max(expires_at) + 7 * 86400) FROM tokens_before;
SELECT tokens_prepare('service', 30, min(expires_at), max(expires_at) + 187 * 86400) FROM tokens_before;

INSERT INTO tokens (uid, issued_at, serial, expires_at, client_type, scope, user_agent, address, ends_at, kind, label,
    login_at, key_id, used_at)
    SELECT uid, issued_at, serial, expires_at, client_type, scope, user_agent, address, ends_at, kind, label, login_at,
    key_id, used_at FROM tokens_before;
DROP TABLE tokens_before;
COMMIT;
ANALYZE tokens;
