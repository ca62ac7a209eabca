-- The partner's billing may refuse a capture or a release for good: then the payment waits for a
-- person, in states of its own. The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up

-- SQLite changes no constraint of a table that is there, so its rows move to a new one.
DROP TRIGGER payments_content;
DROP TRIGGER payments_stay;
ALTER TABLE payments RENAME TO payments_before;
CREATE TABLE payments (
  num         INTEGER PRIMARY KEY,
  platform    TEXT    NOT NULL,
  platform_id TEXT    NOT NULL,
  kind        TEXT    NOT NULL CHECK (kind IN ('topup', 'direct', 'refund')),
  user_hash   TEXT    NOT NULL,
  amount      INTEGER NOT NULL CHECK (amount > 0),
  refund_of   INTEGER,
  state       TEXT    NOT NULL CHECK (state IN ('received', 'reserved', 'confirming', 'capturing', 'capture_refused', 'confirmed', 'releasing', 'release_refused', 'declining', 'declined', 'in_doubt')),
  version     INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  owner       INTEGER NOT NULL,
  next_at     INTEGER,
  reason      TEXT    NOT NULL,
  received_at INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  -- The states that one looks for without a user, apart from state because on PostgreSQL a
  -- column that is in no index can be changed without touching any index.
  aside       TEXT GENERATED ALWAYS AS (CASE WHEN state IN ('in_doubt', 'declined') THEN state END) VIRTUAL,
  CHECK ((refund_of IS NOT NULL) = (kind = 'refund')),
  CHECK ((next_at IS NULL) = (state IN ('confirmed', 'declined', 'in_doubt')))
) STRICT;
INSERT INTO payments (num, platform, platform_id, kind, user_hash, amount, refund_of, state, version, attempt, owner, next_at, reason, received_at, updated_at)
  SELECT num, platform, platform_id, kind, user_hash, amount, refund_of, state, version, attempt, owner, next_at, reason, received_at, updated_at
  FROM payments_before;
DROP TABLE payments_before;

-- This index is the idempotency of notifications.
CREATE UNIQUE INDEX payments_key ON payments (platform_id, platform);
CREATE INDEX payments_user ON payments (user_hash, num);
-- The rest hold only what is rare, so that their cost does not grow with the table.
CREATE INDEX payments_due ON payments (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX payments_aside ON payments (aside, num) WHERE aside IS NOT NULL;
CREATE INDEX payments_refunds ON payments (refund_of) WHERE refund_of IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER payments_content BEFORE UPDATE OF num, platform, platform_id, kind, user_hash, amount, refund_of, received_at ON payments
BEGIN SELECT RAISE(ABORT, 'what a payment announced never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payments_stay BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
-- +goose StatementEnd
