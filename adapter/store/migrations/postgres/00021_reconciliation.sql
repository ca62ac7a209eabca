-- What came of comparing users' days with the platform's books. The file for the other engine
-- beside this one says the same in its dialect.

-- +goose Up

-- The newest comparison of a user's day; date is YYYY-MM-DD, payments the numbers behind it.
CREATE TABLE reconciliations (
  date       text COLLATE "C" NOT NULL,
  user_hash  text COLLATE "C" NOT NULL,
  result     text NOT NULL CHECK (result IN ('agrees', 'differs', 'unread')),
  at         bigint NOT NULL,
  credits    bigint NOT NULL,
  refunds    bigint NOT NULL,
  open       bigint NOT NULL,
  income     bigint NOT NULL,
  outcome    bigint NOT NULL,
  difference bigint NOT NULL,
  detail     text NOT NULL,
  payments   text NOT NULL,
  PRIMARY KEY (date, user_hash)
);
CREATE INDEX reconciliations_user ON reconciliations (user_hash, date);
CREATE INDEX reconciliations_wrong ON reconciliations (result, date, user_hash) WHERE result <> 'agrees';

CREATE TABLE reconcile_runs (
  date   text COLLATE "C" NOT NULL PRIMARY KEY,
  at     bigint NOT NULL,
  users  bigint NOT NULL,
  agree  bigint NOT NULL,
  differ bigint NOT NULL,
  unread bigint NOT NULL
);
