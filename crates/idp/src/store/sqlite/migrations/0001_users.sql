CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE namespaces (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  -- This and the next are kept by the triggers below. An unfiltered count costs one row, however many users there are.
  user_count INTEGER NOT NULL DEFAULT 0,
  -- The newest id that was given to a user: the next one follows it, whatever the clock says.
  newest_id  BLOB    NOT NULL DEFAULT (zeroblob(16))
) STRICT;

-- Clustered by creation: ids are UUIDv7, so a page is one run of neighbouring rows.
CREATE TABLE users (
  namespace_id  INTEGER NOT NULL,
  id            BLOB    NOT NULL,
  name          TEXT    NOT NULL,
  password_hash TEXT,
  disabled      INTEGER NOT NULL,
  created_at    INTEGER NOT NULL, -- milliseconds since the Unix epoch
  PRIMARY KEY (namespace_id, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX users_by_name ON users (namespace_id, name);

CREATE TRIGGER count_insert AFTER INSERT ON users BEGIN
  UPDATE namespaces SET user_count = user_count + 1, newest_id = max(newest_id, NEW.id) WHERE id = NEW.namespace_id;
END;

CREATE TRIGGER count_delete AFTER DELETE ON users BEGIN
  UPDATE namespaces SET user_count = user_count - 1 WHERE id = OLD.namespace_id;
END;

CREATE TABLE mfa_factors (
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  id           BLOB    NOT NULL,
  PRIMARY KEY (namespace_id, user_id, id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE reset_mails (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  redirect_uri TEXT    NOT NULL,
  from_name    TEXT,
  subject      TEXT,
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT;

CREATE INDEX reset_mails_by_user ON reset_mails (namespace_id, user_id);
