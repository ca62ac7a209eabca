-- Funds may be kept by the partner's own billing. Then its moves are calls that are owed in
-- states of their own. The file for SQLite beside this one says the same in its dialect.

-- +goose Up

ALTER TABLE payments DROP CONSTRAINT payments_state_check;
ALTER TABLE payments ADD CONSTRAINT payments_state_check
  CHECK (state IN ('received', 'reserved', 'confirming', 'capturing', 'confirmed', 'releasing', 'declining', 'declined', 'in_doubt'));

-- Who keeps the funds of the payments under way: never both.
ALTER TABLE book ADD COLUMN funds text NOT NULL DEFAULT 'ledger' CHECK (funds IN ('ledger', 'billing'));
