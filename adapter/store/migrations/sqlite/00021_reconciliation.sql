-- What came of comparing users' days with the platform's books. The file for the other engine
-- beside this one says the same in its dialect.

-- +goose Up

-- The newest comparison of a user's day; date is YYYY-MM-DD, payments the numbers behind it.
CREATE TABLE reconciliations (
  date       TEXT NOT NULL,
  user_hash  TEXT NOT NULL,
  result     TEXT NOT NULL CHECK (result IN ('agrees', 'differs', 'unread')),
  at         INTEGER NOT NULL,
  credits    INTEGER NOT NULL,
  refunds    INTEGER NOT NULL,
  open       INTEGER NOT NULL,
  income     INTEGER NOT NULL,
  outcome    INTEGER NOT NULL,
  difference INTEGER NOT NULL,
  detail     TEXT NOT NULL,
  payments   TEXT NOT NULL,
  PRIMARY KEY (date, user_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX reconciliations_user ON reconciliations (user_hash, date);
CREATE INDEX reconciliations_wrong ON reconciliations (result, date, user_hash) WHERE result <> 'agrees';

CREATE TABLE reconcile_runs (
  date   TEXT NOT NULL PRIMARY KEY,
  at     INTEGER NOT NULL,
  users  INTEGER NOT NULL,
  agree  INTEGER NOT NULL,
  differ INTEGER NOT NULL,
  unread INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
