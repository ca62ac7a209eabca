-- Times are unix microseconds, amounts are minor units of the currency in table book.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up

-- The one currency of these books; a program that thinks in another is refused.
CREATE TABLE book (
  id       bigint PRIMARY KEY CHECK (id = 1),
  currency text   NOT NULL,
  digits   bigint NOT NULL
);

CREATE TABLE users (
  hash        text COLLATE "C" PRIMARY KEY,
  login       text COLLATE "C" NOT NULL UNIQUE,
  sealed_key  bytea  NOT NULL,
  archived_at bigint,
  created_at  bigint NOT NULL
);

-- A serving process holds the session advisory lock with its id; a row without its lock is
-- a dead process (Store.Run).
CREATE TABLE processes (
  id         bigint PRIMARY KEY,
  started_at bigint NOT NULL
);

-- The row is the job: next_at is the retry time of a free row and the end of the lease of a
-- held one. The acceptance itself is this row; events tell what happened since.
CREATE TABLE payments (
  num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  platform    text COLLATE "C" NOT NULL,
  platform_id text COLLATE "C" NOT NULL,
  kind        text   NOT NULL CHECK (kind IN ('topup', 'direct', 'refund')),
  user_hash   text COLLATE "C" NOT NULL,
  amount      bigint NOT NULL CHECK (amount > 0),
  refund_of   bigint,
  state       text   NOT NULL CHECK (state IN ('received', 'reserved', 'confirming', 'confirmed', 'declining', 'declined', 'in_doubt')),
  version     bigint NOT NULL,
  attempt     bigint NOT NULL,
  owner       bigint NOT NULL,
  next_at     bigint,
  reason      text   NOT NULL,
  received_at bigint NOT NULL,
  updated_at  bigint NOT NULL,
  -- The states that one looks for without a user, apart from state because a column that is
  -- in no index can be changed without touching any index.
  aside       text GENERATED ALWAYS AS (CASE WHEN state IN ('in_doubt', 'declined') THEN state END) STORED,
  CHECK ((refund_of IS NOT NULL) = (kind = 'refund')),
  CHECK ((next_at IS NULL) = (state IN ('confirmed', 'declined', 'in_doubt')))
) WITH (fillfactor = 50); -- room for the next versions of a row beside it

-- This index is the idempotency of notifications.
CREATE UNIQUE INDEX payments_key ON payments (platform_id, platform);
CREATE INDEX payments_user ON payments (user_hash, num);
-- The rest hold only what is rare, so that their cost does not grow with the table.
CREATE INDEX payments_due ON payments (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX payments_aside ON payments (aside, num) WHERE aside IS NOT NULL;
CREATE INDEX payments_refunds ON payments (refund_of) WHERE refund_of IS NOT NULL;

CREATE TABLE events (
  payment bigint NOT NULL,
  version bigint NOT NULL,
  n       bigint NOT NULL,
  at      bigint NOT NULL,
  kind    text   NOT NULL,
  from_state text NOT NULL,
  to_state   text NOT NULL,
  attempt bigint NOT NULL,
  verdict text   NOT NULL,
  code    bigint NOT NULL,
  detail  text   NOT NULL,
  took    bigint NOT NULL, -- microseconds
  PRIMARY KEY (payment, version, n)
);

-- last is the user's newest transfer.
CREATE TABLE balances (
  user_hash text COLLATE "C" PRIMARY KEY,
  available bigint NOT NULL CHECK (available >= 0),
  reserved  bigint NOT NULL CHECK (reserved >= 0),
  last      bigint NOT NULL
) WITH (fillfactor = 50);

-- One row moves money from debit to credit and notes the user's balance after it. A user's
-- transfers are chained by prev, newest first from balances.last: a statement walks the
-- chain, and no index by user spreads every write over the whole file.
CREATE SEQUENCE transfers_num;
CREATE TABLE transfers (
  num       bigint PRIMARY KEY,
  user_hash text COLLATE "C" NOT NULL,
  payment   bigint,
  move      text   NOT NULL CHECK (move IN ('reserve', 'capture', 'release', 'restore', 'deposit', 'withdraw')),
  debit     text   NOT NULL,
  credit    text   NOT NULL,
  amount    bigint NOT NULL CHECK (amount > 0),
  available bigint NOT NULL CHECK (available >= 0),
  reserved  bigint NOT NULL CHECK (reserved >= 0),
  prev      bigint NOT NULL,
  at        bigint NOT NULL,
  key       text COLLATE "C",
  note      text   NOT NULL DEFAULT '',
  CHECK (debit <> credit),
  CHECK ((payment IS NULL) = (move IN ('deposit', 'withdraw')))
);

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
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
-- +goose StatementEnd
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('events are append-only');
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('transfers are append-only');
CREATE TRIGGER payments_content BEFORE UPDATE OF num, platform, platform_id, kind, user_hash, amount, refund_of, received_at ON payments
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what a payment announced never changes');
CREATE TRIGGER payments_stay BEFORE DELETE OR TRUNCATE ON payments
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('payments are never deleted');
