-- Alerts to the operators: which causes are there now, and the outbox.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up
CREATE TABLE alert_causes (
  cause text NOT NULL PRIMARY KEY,
  since bigint NOT NULL
);

CREATE TABLE alerts (
  num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id      text NOT NULL UNIQUE,
  cause   text NOT NULL,
  is_over bigint NOT NULL CHECK (is_over IN (0, 1)),
  text    text NOT NULL,
  at      bigint NOT NULL,
  attempt bigint NOT NULL,
  next_at bigint,
  delivered_at bigint,
  problem text NOT NULL,
  CHECK (next_at IS NULL OR delivered_at IS NULL)
);
CREATE INDEX alerts_due ON alerts (next_at) WHERE next_at IS NOT NULL;
