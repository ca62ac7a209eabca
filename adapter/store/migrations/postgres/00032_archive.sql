-- The history of a payment that is final may leave for a file, once a line of it says so.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.kind = 'archived' OR NOT EXISTS (SELECT 1 FROM events e WHERE e.payment = OLD.payment AND e.kind = 'archived') THEN
    RAISE EXCEPTION 'events are append-only';
  END IF;
  RETURN OLD;
END $$;
-- +goose StatementEnd
DROP TRIGGER events_append_only ON events;
CREATE TRIGGER events_append_only BEFORE UPDATE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('events are append-only');
CREATE TRIGGER events_append_only_delete BEFORE DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION refuse_unarchived();
