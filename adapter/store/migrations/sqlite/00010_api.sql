-- What the API has to remember: requests under their idempotency keys, and tokens.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up

-- status 0 is a request that has no answer yet; held_until is until when the process that
-- works on it may be believed alive.
CREATE TABLE requests (
  key         TEXT NOT NULL PRIMARY KEY,
  operation   TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  asked_by    TEXT NOT NULL,
  at          INTEGER NOT NULL,
  held_until  INTEGER NOT NULL,
  status      INTEGER NOT NULL,
  answer      BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- API tokens that were minted here, and those that are good no more, wherever they were minted.
CREATE TABLE tokens (
  id         TEXT NOT NULL PRIMARY KEY,
  name       TEXT NOT NULL,
  scopes     TEXT NOT NULL,
  minted_at  INTEGER,
  expires_at INTEGER,
  revoked_at INTEGER,
  reason     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
