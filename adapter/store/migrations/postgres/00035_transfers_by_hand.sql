-- Deposits, withdrawals and payins of a user are found by their time, so that an old day's statement
-- need not be walked to from the newest transfer. Those of payments are found by the payments. The
-- file for the other engine beside this one says the same.

-- +goose Up

CREATE INDEX transfers_by_hand ON transfers (user_hash, at) WHERE payment IS NULL;
