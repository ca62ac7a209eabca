-- Alerts to the operators: which causes are there now, and the outbox.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up
CREATE TABLE alert_causes (
  cause TEXT NOT NULL PRIMARY KEY,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  num     INTEGER PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  cause   TEXT NOT NULL,
  is_over INTEGER NOT NULL CHECK (is_over IN (0, 1)),
  text    TEXT NOT NULL,
  at      INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  next_at INTEGER,
  delivered_at INTEGER,
  problem TEXT NOT NULL,
  CHECK (next_at IS NULL OR delivered_at IS NULL)
) STRICT;
CREATE INDEX alerts_due ON alerts (next_at) WHERE next_at IS NOT NULL;
