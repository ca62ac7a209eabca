-- What persons did, one line each; the effect's transaction writes it.
-- The file for SQLite beside this one says the same in its dialect.

-- +goose Up
CREATE TABLE audit (
  num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      bigint NOT NULL,
  who     text   NOT NULL,
  via     text   NOT NULL,
  what    text   NOT NULL,
  subject text   NOT NULL,
  result  text   NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
  detail  text   NOT NULL
);
CREATE INDEX audit_who ON audit (who, num);
CREATE INDEX audit_subject ON audit (subject, num);

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the audit log is append-only');
