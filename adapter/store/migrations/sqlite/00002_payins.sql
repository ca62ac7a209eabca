-- Money on its way in through Any.Money. Amounts of payins are decimal text in a currency
-- beside them: the platform knows more currencies than the ledger.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up

-- The row is the job here too: next_at is when a free row is due and the end of the lease of
-- a held one. externalid is the order's name at the platform, key the caller's own. The second
-- half is what the platform said last, at its own time order_at; lid is 0 before it said anything.
CREATE TABLE payins (
  num          INTEGER PRIMARY KEY,
  merchant     TEXT    NOT NULL,
  externalid   TEXT    NOT NULL,
  key          TEXT,
  fingerprint  TEXT    NOT NULL,
  user_hash    TEXT    NOT NULL, -- '' for an order that was not made by us
  amount       TEXT    NOT NULL,
  in_curr      TEXT    NOT NULL,
  asked_curr   TEXT    NOT NULL, -- '' if it is in_curr
  payway       TEXT    NOT NULL,
  payer        TEXT    NOT NULL,
  contact      TEXT    NOT NULL,
  has_code     INTEGER NOT NULL CHECK (has_code IN (0, 1)),
  callback_url TEXT    NOT NULL,
  status       TEXT    NOT NULL CHECK (status IN ('creating', 'unsure', 'refused', 'new', 'pending', 'started', 'wait', 'retry',
                 'finalizing', 'abnormal', 'done', 'fail', 'reject', 'expired', 'canceled')),
  sent         INTEGER NOT NULL CHECK (sent IN (0, 1)),
  lid          INTEGER NOT NULL,
  type         TEXT    NOT NULL,
  paylink      TEXT    NOT NULL,
  in_fee       TEXT    NOT NULL,
  out_curr     TEXT    NOT NULL,
  out_amount   TEXT    NOT NULL,
  out_fee      TEXT    NOT NULL,
  account      TEXT    NOT NULL,
  rate_in      TEXT    NOT NULL,
  rate_out     TEXT    NOT NULL,
  order_at     INTEGER,
  credited     INTEGER NOT NULL CHECK (credited >= 0), -- minor units of the ledger's currency
  reason       TEXT    NOT NULL,
  version      INTEGER NOT NULL CHECK (version >= 0),
  attempt      INTEGER NOT NULL CHECK (attempt >= 0),
  owner        INTEGER NOT NULL,
  next_at      INTEGER,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  CHECK ((next_at IS NULL) = (status IN ('refused', 'done', 'fail', 'reject', 'expired', 'canceled'))),
  CHECK ((lid = 0) = (status IN ('creating', 'unsure', 'refused'))),
  CHECK (credited = 0 OR (status = 'done' AND user_hash <> ''))
) STRICT;

-- These two are the idempotency of requests.
CREATE UNIQUE INDEX payins_externalid ON payins (externalid);
CREATE UNIQUE INDEX payins_key ON payins (key) WHERE key IS NOT NULL;
CREATE INDEX payins_user ON payins (user_hash, num);
CREATE INDEX payins_due ON payins (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE payin_events (
  payin   INTEGER NOT NULL,
  version INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  from_status TEXT NOT NULL,
  to_status   TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  verdict TEXT    NOT NULL,
  code    INTEGER NOT NULL,
  detail  TEXT    NOT NULL,
  took    INTEGER NOT NULL, -- microseconds
  PRIMARY KEY (payin, version, n)
) STRICT, WITHOUT ROWID;

-- The ledger learns a move: a payin that was done credits its user. SQLite changes no
-- constraint of a table that is there, so its rows move to a new one.
DROP VIEW ledger_entries;
ALTER TABLE transfers RENAME TO transfers_before;
CREATE TABLE transfers (
  num       INTEGER PRIMARY KEY,
  user_hash TEXT    NOT NULL,
  payment   INTEGER,
  move      TEXT    NOT NULL CHECK (move IN ('reserve', 'capture', 'release', 'restore', 'deposit', 'withdraw', 'payin')),
  debit     TEXT    NOT NULL,
  credit    TEXT    NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount > 0),
  available INTEGER NOT NULL CHECK (available >= 0),
  reserved  INTEGER NOT NULL CHECK (reserved >= 0),
  prev      INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  key       TEXT,
  note      TEXT    NOT NULL DEFAULT '',
  payin     INTEGER,
  CHECK (debit <> credit),
  CHECK ((payment IS NULL) = (move IN ('deposit', 'withdraw', 'payin'))),
  CHECK ((payin IS NOT NULL) = (move = 'payin'))
) STRICT;
INSERT INTO transfers SELECT num, user_hash, payment, move, debit, credit, amount, available, reserved, prev, at, key, note, NULL FROM transfers_before;
DROP TRIGGER transfers_append_only_update;
DROP TRIGGER transfers_append_only_delete;
DROP TABLE transfers_before;

-- No payment is captured twice and no payin credited twice, whatever the code above believes.
CREATE UNIQUE INDEX transfers_payment ON transfers (payment, move) WHERE payment IS NOT NULL;
CREATE UNIQUE INDEX transfers_key ON transfers (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX transfers_payin ON transfers (payin) WHERE payin IS NOT NULL;

CREATE VIEW ledger_entries AS
  SELECT num AS transfer, at, user_hash, payment, move,
         CASE WHEN debit LIKE 'user:%' THEN 'user:' || user_hash || substr(debit, 5) ELSE debit END AS account,
         -amount AS amount, payin
  FROM transfers
  UNION ALL
  SELECT num, at, user_hash, payment, move,
         CASE WHEN credit LIKE 'user:%' THEN 'user:' || user_hash || substr(credit, 5) ELSE credit END,
         amount, payin
  FROM transfers;

-- +goose StatementBegin
CREATE TRIGGER transfers_append_only_update BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transfers_append_only_delete BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payin_events_append_only_update BEFORE UPDATE ON payin_events
BEGIN SELECT RAISE(ABORT, 'payin events are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payin_events_append_only_delete BEFORE DELETE ON payin_events
BEGIN SELECT RAISE(ABORT, 'payin events are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payins_content BEFORE UPDATE OF num, merchant, externalid, key, fingerprint, user_hash, amount, in_curr, asked_curr,
  payway, payer, contact, has_code, callback_url, created_at ON payins
BEGIN SELECT RAISE(ABORT, 'what a payin asked for never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payins_stay BEFORE DELETE ON payins
BEGIN SELECT RAISE(ABORT, 'payins are never deleted'); END;
-- +goose StatementEnd
