-- Times are unix microseconds, amounts are minor units of the currency in table book.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up

-- The one currency of these books; a program that thinks in another is refused.
CREATE TABLE book (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  currency TEXT    NOT NULL,
  digits   INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  hash        TEXT    NOT NULL PRIMARY KEY,
  login       TEXT    NOT NULL UNIQUE,
  sealed_key  BLOB    NOT NULL,
  archived_at INTEGER,
  created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The row is the job: next_at is the retry time of a free row and the end of the lease of a
-- held one. The acceptance itself is this row; events tell what happened since.
CREATE TABLE payments (
  num         INTEGER PRIMARY KEY,
  platform    TEXT    NOT NULL,
  platform_id TEXT    NOT NULL,
  kind        TEXT    NOT NULL CHECK (kind IN ('topup', 'direct', 'refund')),
  user_hash   TEXT    NOT NULL,
  amount      INTEGER NOT NULL CHECK (amount > 0),
  refund_of   INTEGER,
  state       TEXT    NOT NULL CHECK (state IN ('received', 'reserved', 'confirming', 'confirmed', 'declining', 'declined', 'in_doubt')),
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

-- This index is the idempotency of notifications.
CREATE UNIQUE INDEX payments_key ON payments (platform_id, platform);
CREATE INDEX payments_user ON payments (user_hash, num);
-- The rest hold only what is rare, so that their cost does not grow with the table.
CREATE INDEX payments_due ON payments (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX payments_aside ON payments (aside, num) WHERE aside IS NOT NULL;
CREATE INDEX payments_refunds ON payments (refund_of) WHERE refund_of IS NOT NULL;

CREATE TABLE events (
  payment INTEGER NOT NULL,
  version INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  from_state TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  verdict TEXT    NOT NULL,
  code    INTEGER NOT NULL,
  detail  TEXT    NOT NULL,
  took    INTEGER NOT NULL, -- microseconds
  PRIMARY KEY (payment, version, n)
) STRICT, WITHOUT ROWID;

-- last is the user's newest transfer.
CREATE TABLE balances (
  user_hash TEXT    NOT NULL PRIMARY KEY,
  available INTEGER NOT NULL CHECK (available >= 0),
  reserved  INTEGER NOT NULL CHECK (reserved >= 0),
  last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row moves money from debit to credit and notes the user's balance after it. A user's
-- transfers are chained by prev, newest first from balances.last: a statement walks the
-- chain, and no index by user spreads every write over the whole file.
CREATE TABLE transfers (
  num       INTEGER PRIMARY KEY,
  user_hash TEXT    NOT NULL,
  payment   INTEGER,
  move      TEXT    NOT NULL CHECK (move IN ('reserve', 'capture', 'release', 'restore', 'deposit', 'withdraw')),
  debit     TEXT    NOT NULL,
  credit    TEXT    NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount > 0),
  available INTEGER NOT NULL CHECK (available >= 0),
  reserved  INTEGER NOT NULL CHECK (reserved >= 0),
  prev      INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  key       TEXT,
  note      TEXT    NOT NULL DEFAULT '',
  CHECK (debit <> credit),
  CHECK ((payment IS NULL) = (move IN ('deposit', 'withdraw')))
) STRICT;

-- No payment is captured twice, whatever the code above believes.
CREATE UNIQUE INDEX transfers_payment ON transfers (payment, move) WHERE payment IS NOT NULL;
CREATE UNIQUE INDEX transfers_key ON transfers (key) WHERE key IS NOT NULL;

-- The books as a bookkeeper reads them: two signed entries for each transfer.
CREATE VIEW ledger_entries AS
  SELECT num AS transfer, at, user_hash, payment, move,
         CASE WHEN debit LIKE 'user:%' THEN 'user:' || user_hash || substr(debit, 5) ELSE debit END AS account,
         -amount AS amount
  FROM transfers
  UNION ALL
  SELECT num, at, user_hash, payment, move,
         CASE WHEN credit LIKE 'user:%' THEN 'user:' || user_hash || substr(credit, 5) ELSE credit END,
         amount
  FROM transfers;

-- History and books are added to, never edited; of a payment, what was announced stays.
-- +goose StatementBegin
CREATE TRIGGER events_append_only_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER events_append_only_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transfers_append_only_update BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transfers_append_only_delete BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payments_content BEFORE UPDATE OF num, platform, platform_id, kind, user_hash, amount, refund_of, received_at ON payments
BEGIN SELECT RAISE(ABORT, 'what a payment announced never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payments_stay BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
-- +goose StatementEnd
