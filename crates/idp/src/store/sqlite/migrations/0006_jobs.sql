-- Every change of a user makes a new version.
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- Times are milliseconds since the Unix epoch.

CREATE TABLE queues (
  id           INTEGER PRIMARY KEY,
  namespace_id INTEGER NOT NULL,
  kind         TEXT    NOT NULL CHECK (kind IN ('reset-mails', 'events')),
  name         TEXT    NOT NULL, -- the consumer of events; empty for mails
  -- Only of a consumer of events: the events up to this one have been made jobs.
  taken_up     BLOB    CHECK ((taken_up IS NOT NULL) = (kind = 'events')),
  UNIQUE (namespace_id, kind, name)
) STRICT;

-- waiting: behind an earlier job with the same ordering key
-- queued:  can be claimed from due_at on
-- leased:  claimed until due_at
-- done, dead, ended: finished
--
-- Jobs of events are ordered by user: of each user, at most one is queued or leased. Jobs stay when their user is deleted.
CREATE TABLE jobs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused
  queue_id    INTEGER NOT NULL REFERENCES queues ON DELETE CASCADE,
  user_id     BLOB    NOT NULL,
  event_id    BLOB,
  payload     TEXT    NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('waiting', 'queued', 'leased', 'done', 'dead', 'ended')),
  queued_at   INTEGER NOT NULL,
  due_at      INTEGER NOT NULL,
  finished_at INTEGER CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'dead', 'ended'))),
  lease       BLOB    CHECK ((lease IS NOT NULL) = (state = 'leased')),
  attempts    INTEGER NOT NULL DEFAULT 0,
  refusals    INTEGER NOT NULL DEFAULT 0,
  reason      TEXT
) STRICT;

CREATE TABLE counters (
  namespace_id INTEGER NOT NULL,
  scope        TEXT    NOT NULL,
  subject      BLOB    NOT NULL,
  count        INTEGER NOT NULL,
  since        INTEGER NOT NULL, -- start of the window
  PRIMARY KEY (namespace_id, scope, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX counters_by_start ON counters (namespace_id, since);

-- Ids of deleted mails are not given to jobs.
INSERT INTO sqlite_sequence (name, seq) SELECT 'jobs', seq FROM sqlite_sequence WHERE name = 'reset_mails';

INSERT INTO queues (namespace_id, kind, name) SELECT DISTINCT namespace_id, 'reset-mails', '' FROM reset_mails;

INSERT INTO jobs (id, queue_id, user_id, payload, state, queued_at, due_at, finished_at, lease, attempts, reason)
SELECT m.id, q.id, m.user_id, json_object('redirectUri', m.redirect_uri, 'fromName', m.from_name, 'subject', m.subject),
       CASE m.state WHEN 'sending' THEN 'leased' WHEN 'sent' THEN 'done' ELSE m.state END,
       m.queued_at, m.due_at,
       CASE WHEN m.state IN ('sent', 'dead', 'ended') THEN coalesce(m.finished_at, m.due_at) END,
       CASE WHEN m.state = 'sending' THEN randomblob(16) END,
       m.attempts, m.last_error
FROM reset_mails AS m JOIN queues AS q ON q.namespace_id = m.namespace_id AND q.kind = 'reset-mails'
ORDER BY m.id;

INSERT INTO queues (namespace_id, kind, name, taken_up)
SELECT namespace_id, 'events', name, taken_up FROM event_consumers ORDER BY id;

-- In the order of the events: of one user, jobs with lower ids go first.
INSERT INTO jobs (queue_id, user_id, event_id, payload, state, queued_at, due_at, finished_at, lease, attempts, refusals, reason)
SELECT q.id, d.user_id, d.event_id, '',
       CASE WHEN d.state = 0 THEN 'waiting' WHEN d.state = 2 THEN 'dead' WHEN d.lease IS NOT NULL THEN 'leased' ELSE 'queued' END,
       coalesce(e.time, d.due), d.due, iif(d.state = 2, d.due, NULL), iif(d.state = 1, d.lease, NULL),
       d.attempts, d.refusals, d.reason
FROM event_deliveries AS d
JOIN event_consumers AS c ON c.id = d.consumer_id
JOIN queues AS q ON q.namespace_id = c.namespace_id AND q.kind = 'events' AND q.name = c.name
LEFT JOIN events AS e ON e.namespace_id = c.namespace_id AND e.id = d.event_id
ORDER BY d.consumer_id, d.event_id;

-- An ordering key that is held up has one row here, however many jobs wait behind it.
CREATE INDEX jobs_due ON jobs (queue_id, due_at, id) WHERE state IN ('queued', 'leased');
CREATE INDEX jobs_waiting ON jobs (queue_id, user_id, id) WHERE state = 'waiting';
CREATE UNIQUE INDEX jobs_next_of_user ON jobs (queue_id, user_id)
  WHERE event_id IS NOT NULL AND state IN ('queued', 'leased');
CREATE INDEX jobs_by_user ON jobs (queue_id, user_id, id);
CREATE UNIQUE INDEX jobs_by_event ON jobs (queue_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX jobs_by_queue ON jobs (queue_id, id);
CREATE INDEX jobs_dead ON jobs (queue_id, id) WHERE state = 'dead';
CREATE INDEX jobs_finished ON jobs (queue_id, finished_at) WHERE finished_at IS NOT NULL;

-- The tokens refer to jobs instead of mails.
ALTER TABLE reset_tokens RENAME TO old_reset_tokens;

CREATE TABLE reset_tokens (
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  hash         BLOB    NOT NULL UNIQUE,
  job_id       INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  expires_at   INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, user_id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX reset_tokens_by_job ON reset_tokens (job_id);

INSERT INTO reset_tokens (namespace_id, user_id, hash, job_id, expires_at)
SELECT namespace_id, user_id, hash, mail_id, expires_at FROM old_reset_tokens;

DROP TABLE old_reset_tokens;
DROP TABLE reset_mails;
DROP TABLE event_deliveries;
DROP TABLE event_consumers;
