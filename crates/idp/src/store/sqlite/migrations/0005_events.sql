-- The outbox: a row for each committed change of a user in a namespace that publishes. Clustered by id; ids are UUIDv7 and given
-- under the write lock, so that id order is commit order.
CREATE TABLE events (
  namespace_id INTEGER NOT NULL,
  id           BLOB    NOT NULL,
  user_id      BLOB    NOT NULL, -- of a user who may be gone
  kind         TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
  time         INTEGER NOT NULL, -- milliseconds since the Unix epoch
  PRIMARY KEY (namespace_id, id)
) STRICT, WITHOUT ROWID;

-- The newest event of each namespace, pruned or not: the next one follows it, whatever the clock says.
ALTER TABLE namespaces ADD COLUMN newest_event_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';

CREATE TRIGGER events_newest AFTER INSERT ON events BEGIN
  UPDATE namespaces SET newest_event_id = NEW.id WHERE id = NEW.namespace_id;
END;

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

-- A user who is held up keeps one row here, however many wait behind it.
CREATE INDEX event_deliveries_next ON event_deliveries (consumer_id, due, event_id) WHERE state = 1;
CREATE INDEX event_deliveries_by_user ON event_deliveries (consumer_id, user_id, event_id) WHERE state < 2;
CREATE UNIQUE INDEX event_deliveries_next_of_user ON event_deliveries (consumer_id, user_id) WHERE state = 1;
CREATE INDEX event_deliveries_dead ON event_deliveries (consumer_id, event_id) WHERE state = 2;
