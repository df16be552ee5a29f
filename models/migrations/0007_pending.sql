-- +goose Up

-- 1: the account, whose state is disabled, waits for an administrator to approve it. Programs from
-- before this column take it for disabled.
ALTER TABLE users ADD COLUMN pending SMALLINT NOT NULL DEFAULT 0 CHECK (pending IN (0, 1));
