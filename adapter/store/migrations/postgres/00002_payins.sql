-- Money on its way in through Any.Money. Amounts of payins are decimal text in a currency
-- beside them: the platform knows more currencies than the ledger.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up

-- The row is the job here too: next_at is when a free row is due and the end of the lease of
-- a held one. externalid is the order's name at the platform, key the caller's own. The second
-- half is what the platform said last, at its own time order_at; lid is 0 before it said anything.
CREATE TABLE payins (
  num          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant     text   NOT NULL,
  externalid   text COLLATE "C" NOT NULL,
  key          text COLLATE "C",
  fingerprint  text   NOT NULL,
  user_hash    text COLLATE "C" NOT NULL, -- '' for an order that was not made by us
  amount       text   NOT NULL,
  in_curr      text   NOT NULL,
  asked_curr   text   NOT NULL, -- '' if it is in_curr
  payway       text   NOT NULL,
  payer        text   NOT NULL,
  contact      text   NOT NULL,
  has_code     bigint NOT NULL CHECK (has_code IN (0, 1)),
  callback_url text   NOT NULL,
  status       text   NOT NULL CHECK (status IN ('creating', 'unsure', 'refused', 'new', 'pending', 'started', 'wait', 'retry',
                 'finalizing', 'abnormal', 'done', 'fail', 'reject', 'expired', 'canceled')),
  sent         bigint NOT NULL CHECK (sent IN (0, 1)),
  lid          bigint NOT NULL,
  type         text   NOT NULL,
  paylink      text   NOT NULL,
  in_fee       text   NOT NULL,
  out_curr     text   NOT NULL,
  out_amount   text   NOT NULL,
  out_fee      text   NOT NULL,
  account      text   NOT NULL,
  rate_in      text   NOT NULL,
  rate_out     text   NOT NULL,
  order_at     bigint,
  credited     bigint NOT NULL CHECK (credited >= 0), -- minor units of the ledger's currency
  reason       text   NOT NULL,
  version      bigint NOT NULL CHECK (version >= 0),
  attempt      bigint NOT NULL CHECK (attempt >= 0),
  owner        bigint NOT NULL,
  next_at      bigint,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL,
  CHECK ((next_at IS NULL) = (status IN ('refused', 'done', 'fail', 'reject', 'expired', 'canceled'))),
  CHECK ((lid = 0) = (status IN ('creating', 'unsure', 'refused'))),
  CHECK (credited = 0 OR (status = 'done' AND user_hash <> ''))
);

-- These two are the idempotency of requests.
CREATE UNIQUE INDEX payins_externalid ON payins (externalid);
CREATE UNIQUE INDEX payins_key ON payins (key) WHERE key IS NOT NULL;
CREATE INDEX payins_user ON payins (user_hash, num);
CREATE INDEX payins_due ON payins (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE payin_events (
  payin   bigint NOT NULL,
  version bigint NOT NULL,
  n       bigint NOT NULL,
  at      bigint NOT NULL,
  kind    text   NOT NULL,
  from_status text NOT NULL,
  to_status   text NOT NULL,
  attempt bigint NOT NULL,
  verdict text   NOT NULL,
  code    bigint NOT NULL,
  detail  text   NOT NULL,
  took    bigint NOT NULL, -- microseconds
  PRIMARY KEY (payin, version, n)
);

-- The ledger learns a move: a payin that was done credits its user.
ALTER TABLE transfers ADD COLUMN payin bigint;
ALTER TABLE transfers DROP CONSTRAINT transfers_move_check;
ALTER TABLE transfers ADD CONSTRAINT transfers_move_check
  CHECK (move IN ('reserve', 'capture', 'release', 'restore', 'deposit', 'withdraw', 'payin'));
ALTER TABLE transfers DROP CONSTRAINT transfers_check1;
ALTER TABLE transfers ADD CONSTRAINT transfers_payment_check
  CHECK ((payment IS NULL) = (move IN ('deposit', 'withdraw', 'payin')));
ALTER TABLE transfers ADD CONSTRAINT transfers_payin_check
  CHECK ((payin IS NOT NULL) = (move = 'payin'));

-- No payin is credited twice, whatever the code above believes.
CREATE UNIQUE INDEX transfers_payin ON transfers (payin) WHERE payin IS NOT NULL;

CREATE OR REPLACE VIEW ledger_entries AS
  SELECT num AS transfer, at, user_hash, payment, move,
         CASE WHEN debit LIKE 'user:%' THEN 'user:' || user_hash || substr(debit, 5) ELSE debit END AS account,
         -amount AS amount, payin
  FROM transfers
  UNION ALL
  SELECT num, at, user_hash, payment, move,
         CASE WHEN credit LIKE 'user:%' THEN 'user:' || user_hash || substr(credit, 5) ELSE credit END,
         amount, payin
  FROM transfers;

CREATE TRIGGER payin_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payin_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('payin events are append-only');
CREATE TRIGGER payins_content BEFORE UPDATE OF num, merchant, externalid, key, fingerprint, user_hash, amount, in_curr, asked_curr,
  payway, payer, contact, has_code, callback_url, created_at ON payins
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what a payin asked for never changes');
CREATE TRIGGER payins_stay BEFORE DELETE OR TRUNCATE ON payins
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('payins are never deleted');
