-- The history of a payment that is final may leave for a file, once a line of it says so.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up
DROP TRIGGER events_append_only_delete;
-- +goose StatementBegin
CREATE TRIGGER events_append_only_delete BEFORE DELETE ON events
WHEN OLD.kind = 'archived' OR NOT EXISTS (SELECT 1 FROM events e WHERE e.payment = OLD.payment AND e.kind = 'archived')
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- +goose StatementEnd
