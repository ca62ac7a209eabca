-- A request under an idempotency key knows that its effect is written, and which process works on
-- it; old ones are found by their age. The file for SQLite beside this one says the same in its dialect.

-- +goose Up

-- 1 from the transaction of the effect on.
ALTER TABLE requests ADD COLUMN done bigint NOT NULL DEFAULT 0;
-- The process that works on it until held_until.
ALTER TABLE requests ADD COLUMN owner bigint NOT NULL DEFAULT 0;
CREATE INDEX requests_at ON requests (at);
