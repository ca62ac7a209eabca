-- The partner's billing may refuse a capture or a release for good: then the payment waits for a
-- person, in states of its own. The file for SQLite beside this one says the same in its dialect.

-- +goose Up

ALTER TABLE payments DROP CONSTRAINT payments_state_check;
ALTER TABLE payments ADD CONSTRAINT payments_state_check
  CHECK (state IN ('received', 'reserved', 'confirming', 'capturing', 'capture_refused', 'confirmed', 'releasing', 'release_refused', 'declining', 'declined', 'in_doubt'));
