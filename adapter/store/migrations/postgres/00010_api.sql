-- What the API has to remember: requests under their idempotency keys, and tokens.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up

-- status 0 is a request that has no answer yet; held_until is until when the process that
-- works on it may be believed alive.
CREATE TABLE requests (
  key         text COLLATE "C" NOT NULL PRIMARY KEY,
  operation   text NOT NULL,
  fingerprint text NOT NULL,
  asked_by    text NOT NULL,
  at          bigint NOT NULL,
  held_until  bigint NOT NULL,
  status      bigint NOT NULL,
  answer      bytea NOT NULL
);

-- API tokens that were minted here, and those that are good no more, wherever they were minted.
CREATE TABLE tokens (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  name       text NOT NULL,
  scopes     text NOT NULL,
  minted_at  bigint,
  expires_at bigint,
  revoked_at bigint,
  reason     text NOT NULL
);
