-- What persons did, one line each; the effect's transaction writes it.
-- The file for PostgreSQL beside this one says the same in its dialect.

-- +goose Up
CREATE TABLE audit (
  num     INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  who     TEXT    NOT NULL,
  via     TEXT    NOT NULL,
  what    TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  result  TEXT    NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
  detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_who ON audit (who, num);
CREATE INDEX audit_subject ON audit (subject, num);

-- +goose StatementBegin
CREATE TRIGGER audit_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
