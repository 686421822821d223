-- A database of schema version 5, the last one without a table of jobs: the schema that the migrations 1 to 5 make, and rows of every
-- kind. It stands for the databases of earlier programs, so it does not change.

PRAGMA application_id = 1950966864;
PRAGMA user_version = 5;

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
, newest_event_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000') STRICT;

CREATE TABLE users (
  namespace_id  INTEGER NOT NULL,
  id            BLOB    NOT NULL,
  name          TEXT    NOT NULL,
  password_hash TEXT,
  disabled      INTEGER NOT NULL,
  created_at    INTEGER NOT NULL, -- milliseconds since the Unix epoch
  PRIMARY KEY (namespace_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE reset_mails (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  redirect_uri TEXT    NOT NULL,
  from_name    TEXT,
  subject      TEXT, state TEXT NOT NULL DEFAULT 'queued'
  CHECK (state IN ('queued', 'sending', 'sent', 'dead', 'ended')), queued_at   INTEGER NOT NULL DEFAULT 0, due_at      INTEGER NOT NULL DEFAULT 0, finished_at INTEGER, attempts    INTEGER NOT NULL DEFAULT 0, claims      INTEGER NOT NULL DEFAULT 0, last_error  TEXT,
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT;

CREATE TABLE mfa_factors (
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  id           BLOB    NOT NULL,
  secret       BLOB    NOT NULL, -- sealed by the service
  expires_at   INTEGER,          -- milliseconds since the Unix epoch; NULL once the factor is confirmed
  last_step    INTEGER,          -- the newest time step of which a code was taken
  PRIMARY KEY (namespace_id, user_id, id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE reset_tokens (
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  hash         BLOB    NOT NULL UNIQUE,
  mail_id      INTEGER NOT NULL REFERENCES reset_mails ON DELETE CASCADE,
  expires_at   INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, user_id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  namespace_id INTEGER NOT NULL,
  id           BLOB    NOT NULL,
  user_id      BLOB    NOT NULL, -- of a user who may be gone
  kind         TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
  time         INTEGER NOT NULL, -- milliseconds since the Unix epoch
  PRIMARY KEY (namespace_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_consumers (
  id           INTEGER PRIMARY KEY,
  namespace_id INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  -- Of the events up to this one the consumer has acknowledged all but those in event_deliveries.
  taken_up     BLOB    NOT NULL,
  UNIQUE (namespace_id, name)
) STRICT;

CREATE TABLE event_deliveries (
  consumer_id INTEGER NOT NULL REFERENCES event_consumers ON DELETE CASCADE,
  event_id    BLOB    NOT NULL,
  user_id     BLOB    NOT NULL,
  -- 0 waits behind another of its user, 1 is the next of its user, 2 has been given up.
  state       INTEGER NOT NULL,
  -- Milliseconds since the Unix epoch: nobody can claim it before, be it leased or backing off.
  due         INTEGER NOT NULL,
  lease       BLOB,
  attempts    INTEGER NOT NULL DEFAULT 0,
  refusals    INTEGER NOT NULL DEFAULT 0,
  reason      TEXT,
  PRIMARY KEY (consumer_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX users_by_name ON users (namespace_id, name);

CREATE INDEX reset_mails_by_user ON reset_mails (namespace_id, user_id);

CREATE INDEX users_disabled ON users (namespace_id, id) WHERE disabled = 1;

CREATE INDEX reset_mails_due ON reset_mails (namespace_id, due_at) WHERE state IN ('queued', 'sending');

CREATE INDEX reset_mails_finished ON reset_mails (namespace_id, finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX reset_tokens_by_mail ON reset_tokens (mail_id);

CREATE INDEX event_deliveries_next ON event_deliveries (consumer_id, due, event_id) WHERE state = 1;

CREATE INDEX event_deliveries_by_user ON event_deliveries (consumer_id, user_id, event_id) WHERE state < 2;

CREATE UNIQUE INDEX event_deliveries_next_of_user ON event_deliveries (consumer_id, user_id) WHERE state = 1;

CREATE INDEX event_deliveries_dead ON event_deliveries (consumer_id, event_id) WHERE state = 2;

CREATE TRIGGER count_insert AFTER INSERT ON users BEGIN
  UPDATE namespaces SET user_count = user_count + 1, newest_id = max(newest_id, NEW.id) WHERE id = NEW.namespace_id;
END;

CREATE TRIGGER count_delete AFTER DELETE ON users BEGIN
  UPDATE namespaces SET user_count = user_count - 1 WHERE id = OLD.namespace_id;
END;

CREATE TRIGGER events_newest AFTER INSERT ON events BEGIN
  UPDATE namespaces SET newest_event_id = NEW.id WHERE id = NEW.namespace_id;
END;

INSERT INTO meta (key, value) VALUES ('page-token-key', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
INSERT INTO namespaces (id, name) VALUES (1, 'home'), (2, 'away'), (3, 'empty-one');

INSERT INTO users (namespace_id, id, name, password_hash, disabled, created_at) VALUES
  (1, x'0190a000000070008000000000000001', 'ana@example.com', '$argon2id$v=19$m=19456,t=2,p=1$666972737400000000000A$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', 0, 1700000000001),
  (1, x'0190a000000070008000000000000002', 'bo@example.com', NULL, 1, 1700000000002),
  (1, x'0190a000000070008000000000000003', 'O''Hara "名前" 🦀', '$argon2id$v=19$m=19456,t=2,p=1$7365636f6e64000000000A$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', 0, 1700000000003),
  (2, x'0190a000000070008000000000000004', 'ana@example.com', NULL, 0, 1700000000004),
  (1, x'0190a000000070008000000000000005', 'deleted@example.com', NULL, 0, 1700000000005);
DELETE FROM users WHERE name = 'deleted@example.com';

INSERT INTO mfa_factors (namespace_id, user_id, id, secret, expires_at, last_step) VALUES
  (1, x'0190a000000070008000000000000001', x'0190c000000070008000000000000001', x'00ff', NULL, 57000000),
  (1, x'0190a000000070008000000000000001', x'0190c000000070008000000000000002', x'77616974696e67', 1800000600000, NULL),
  (1, x'0190a000000070008000000000000003', x'0190c000000070008000000000000003', x'', NULL, 0);

INSERT INTO reset_mails (id, namespace_id, user_id, redirect_uri, from_name, subject, state, queued_at, due_at, finished_at, attempts, claims, last_error) VALUES
  (1, 1, x'0190a000000070008000000000000001', 'https://example.com/1', NULL, NULL, 'ended', 0, 0, 1790000000000, 0, 0, 'not sent: queued before mails were sent'),
  (2, 1, x'0190a000000070008000000000000001', 'https://example.com/2', 'Example', 'Reset', 'sent', 1799999000000, 1799999002000, 1799999002000, 2, 2, NULL),
  (3, 1, x'0190a000000070008000000000000003', 'https://example.com/3?a="b"', NULL, '名前', 'dead', 1799990000000, 1799999003000, 1799999003000, 12, 12, '550 no such mailbox'),
  (4, 1, x'0190a000000070008000000000000003', 'https://example.com/4', NULL, NULL, 'sending', 1799999999000, 1800000060000, NULL, 1, 1, NULL),
  (5, 1, x'0190a000000070008000000000000001', 'https://example.com/5', NULL, NULL, 'queued', 1799999990000, 1800000030000, NULL, 3, 3, '421 try again later'),
  (6, 2, x'0190a000000070008000000000000004', 'https://example.com/6', NULL, NULL, 'queued', 1799999999500, 1799999999500, NULL, 0, 0, NULL),
  (9, 2, x'0190a000000070008000000000000004', 'https://example.com/9', NULL, NULL, 'queued', 1799999999500, 1799999999500, NULL, 0, 0, NULL);
DELETE FROM reset_mails WHERE id = 9;

INSERT INTO reset_tokens (namespace_id, user_id, hash, mail_id, expires_at) VALUES
  (1, x'0190a000000070008000000000000001', x'0101010101010101010101010101010101010101010101010101010101010101', 2, 1800003600000),
  (1, x'0190a000000070008000000000000003', x'0202020202020202020202020202020202020202020202020202020202020202', 4, 1800003660000);

INSERT INTO events (namespace_id, id, user_id, kind, time) VALUES
  (1, x'0190b000000070008000000000000001', x'0190a000000070008000000000000001', 'created', 1799999000001),
  (1, x'0190b000000070008000000000000002', x'0190a000000070008000000000000002', 'created', 1799999000002),
  (1, x'0190b000000070008000000000000003', x'0190a000000070008000000000000001', 'updated', 1799999000003),
  (1, x'0190b000000070008000000000000004', x'0190a000000070008000000000000001', 'updated', 1799999000004),
  (1, x'0190b000000070008000000000000005', x'0190a000000070008000000000000005', 'deleted', 1799999000005),
  (1, x'0190b000000070008000000000000006', x'0190a000000070008000000000000003', 'created', 1799999000006),
  (1, x'0190b000000070008000000000000007', x'0190a000000070008000000000000003', 'updated', 1799999000007),
  (1, x'0190b000000070008000000000000008', x'0190a000000070008000000000000002', 'updated', 1799999000008),
  (2, x'01ffb00000007000800000000000000a', x'0190a000000070008000000000000004', 'created', 1799999000009);
DELETE FROM events WHERE namespace_id = 2;

INSERT INTO event_consumers (id, namespace_id, name, taken_up) VALUES
  (1, 1, 'hook', x'0190b000000070008000000000000007'),
  (2, 1, 'index', x'00000000000000000000000000000000'),
  (3, 2, 'hook', x'01ffb00000007000800000000000000a');

INSERT INTO event_deliveries (consumer_id, event_id, user_id, state, due, lease, attempts, refusals, reason) VALUES
  (1, x'0190b000000070008000000000000001', x'0190a000000070008000000000000001', 2, 1799999500000, NULL, 5, 4, '400: bad request'),
  (1, x'0190b000000070008000000000000003', x'0190a000000070008000000000000001', 1, 1800000010000, NULL, 2, 1, '503: unavailable'),
  (1, x'0190b000000070008000000000000004', x'0190a000000070008000000000000001', 0, 1799999500000, NULL, 0, 0, NULL),
  (1, x'0190b000000070008000000000000005', x'0190a000000070008000000000000005', 1, 1800000020000, x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 1, 0, NULL),
  (1, x'0190b000000070008000000000000006', x'0190a000000070008000000000000003', 1, 1799999995000, NULL, 0, 0, NULL),
  (1, x'0190b000000070008000000000000007', x'0190a000000070008000000000000003', 0, 1799999995000, NULL, 0, 0, NULL);
