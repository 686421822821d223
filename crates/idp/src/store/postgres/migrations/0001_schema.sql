-- All tables are in the schema tailor_idp; the program replaces this name if the settings name another one. Times are milliseconds
-- since the Unix epoch. Texts are compared byte by byte (collation C); the program escapes NUL, which PostgreSQL's text cannot hold.

CREATE TABLE tailor_idp.meta (
  key   text  PRIMARY KEY,
  value bytea NOT NULL
);

CREATE TABLE tailor_idp.namespaces (
  id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text COLLATE "C" NOT NULL UNIQUE,
  -- The newest event that was pruned.
  pruned_event uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- Order of creation, for ids. A tick is a time in milliseconds, times 4096, and a counter. It is not transactional: a later call has
-- a higher tick, on any machine and whatever the clocks say, and nobody waits for another transaction.
CREATE SEQUENCE tailor_idp.id_clock AS bigint MINVALUE 0 START 0 CACHE 1 NO CYCLE;

-- The next tick, which is at least now_tick.
CREATE FUNCTION tailor_idp.next_tick(now_tick bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  tick bigint := nextval('tailor_idp.id_clock');
BEGIN
  IF tick >= now_tick THEN
    RETURN tick;
  END IF;
  -- One session at a time sets the sequence forward. The exception ends the subtransaction, which releases the lock at once and does
  -- not undo the sequence.
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tailor_idp.id_clock', 0));
    tick := nextval('tailor_idp.id_clock');
    IF tick < now_tick THEN
      -- A millisecond ahead: sessions that call nextval meanwhile stay below, and most later calls need no lock.
      tick := setval('tailor_idp.id_clock', now_tick + 4096);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'IDP01', MESSAGE = 'release the lock';
  EXCEPTION WHEN SQLSTATE 'IDP01' THEN
    NULL;
  END;
  RETURN tick;
END
$$;

-- A UUIDv7 with this tick (RFC 9562, section 5.7): 48 bits of time, the version, 12 bits of counter, the variant, 62 random bits.
CREATE FUNCTION tailor_idp.id_at(tick bigint) RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT (lpad(to_hex(tick >> 12), 12, '0') || '7' || lpad(to_hex(tick & 4095), 3, '0')
          || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid
$$;

-- Clustered by nothing, found by id: a page is one run of the primary key.
CREATE TABLE tailor_idp.users (
  namespace_id  integer NOT NULL,
  id            uuid    NOT NULL,
  name          text COLLATE "C" NOT NULL,
  password_hash text,
  disabled      boolean NOT NULL,
  created_at    bigint  NOT NULL,
  version       bigint  NOT NULL DEFAULT 1,
  PRIMARY KEY (namespace_id, id)
);
CREATE UNIQUE INDEX users_by_name ON tailor_idp.users (namespace_id, name);
-- Policies that show only the disabled users find them without a scan of all.
CREATE INDEX users_disabled ON tailor_idp.users (namespace_id, id) WHERE disabled;

-- The number of users is the sum of the slots. Each server process adds to a slot of its own, as far as there are enough, so that
-- writers do not wait for one another.
CREATE TABLE tailor_idp.user_counts (
  namespace_id integer NOT NULL,
  slot         integer NOT NULL,
  count        bigint  NOT NULL,
  PRIMARY KEY (namespace_id, slot)
) WITH (fillfactor = 50);

-- The ids of recent write transactions: tells whether one whose connection was lost during the commit was committed.
CREATE TABLE tailor_idp.batches (
  id        uuid    PRIMARY KEY,
  -- false: its program has given it up before it was committed, and it cannot be any more.
  committed boolean NOT NULL
);

CREATE TABLE tailor_idp.mfa_factors (
  namespace_id integer NOT NULL,
  user_id      uuid    NOT NULL,
  id           uuid    NOT NULL,
  secret       bytea   NOT NULL, -- sealed by the program
  expires_at   bigint,           -- NULL once the factor is confirmed
  last_step    bigint,           -- the newest time step of which a code was accepted
  PRIMARY KEY (namespace_id, user_id, id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES tailor_idp.users ON DELETE CASCADE
);

-- A row for each change of a user in a namespace that publishes events.
CREATE TABLE tailor_idp.events (
  namespace_id integer NOT NULL,
  id           uuid    NOT NULL,
  user_id      uuid    NOT NULL, -- of a user who may be deleted
  kind         text    NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
  time         bigint  NOT NULL,
  PRIMARY KEY (namespace_id, id)
);

-- The first half of the keys of the advisory locks of writers of events.
CREATE FUNCTION tailor_idp.event_lock() RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtext('tailor_idp.events')
$$;

-- A tick for events of this transaction. Until it ends, event_horizon() is not above the tick.
CREATE FUNCTION tailor_idp.event_tick(now_tick bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  -- Not last_value: after a pause, that is the tick of an earlier event.
  lower_bound bigint := tailor_idp.next_tick(now_tick);
BEGIN
  -- The low 32 bits of the milliseconds, as a signed number. Shared: writers do not wait for one another.
  PERFORM pg_advisory_xact_lock_shared(tailor_idp.event_lock(), (lower_bound >> 12)::bit(32)::integer);
  RETURN tailor_idp.next_tick(now_tick);
END
$$;

-- The lowest tick that a transaction may still commit events with. Every event below is visible to later statements, if it was
-- committed at all: a writer that the query of locks does not find has ended, or takes a tick above last_value.
CREATE FUNCTION tailor_idp.event_horizon() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  newest bigint;
  oldest_age bigint;
BEGIN
  SELECT last_value INTO newest FROM tailor_idp.id_clock;
  SELECT max(((newest >> 12) - objid::bigint) & 4294967295) INTO oldest_age FROM pg_catalog.pg_locks
  WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND classid::bigint = tailor_idp.event_lock()::bigint & 4294967295 AND objsubid = 2
    -- A lock that is younger than newest has a negative age.
    AND ((newest >> 12) - objid::bigint) & 4294967295 < 2147483648;
  RETURN CASE WHEN oldest_age IS NULL THEN newest + 1 ELSE ((newest >> 12) - oldest_age) << 12 END;
END
$$;

-- The lowest UUIDv7 with this tick.
CREATE FUNCTION tailor_idp.lowest_id_at(tick bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(tick >> 12), 12, '0') || '7' || lpad(to_hex(tick & 4095), 3, '0') || '8000000000000000')::uuid
$$;

CREATE TABLE tailor_idp.queues (
  id           bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace_id integer NOT NULL,
  kind         text    NOT NULL CHECK (kind IN ('reset-mails', 'events')),
  name         text COLLATE "C" NOT NULL, -- the consumer of events; empty for mails
  -- Only of a consumer of events: the events up to this one have been made jobs.
  taken_up     uuid    CHECK ((taken_up IS NOT NULL) = (kind = 'events')),
  UNIQUE (namespace_id, kind, name)
);

-- waiting: behind an earlier job with the same ordering key
-- queued:  can be claimed from due_at on
-- leased:  claimed until due_at
-- done, dead, ended: finished
--
-- Jobs of events are ordered by user: of each user, at most one is queued or leased. Jobs stay when their user is deleted.
CREATE TABLE tailor_idp.jobs (
  id          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue_id    bigint  NOT NULL REFERENCES tailor_idp.queues ON DELETE CASCADE,
  user_id     uuid    NOT NULL,
  event_id    uuid,
  payload     text    NOT NULL,
  state       text    NOT NULL CHECK (state IN ('waiting', 'queued', 'leased', 'done', 'dead', 'ended')),
  queued_at   bigint  NOT NULL,
  due_at      bigint  NOT NULL,
  finished_at bigint  CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'dead', 'ended'))),
  lease       bytea   CHECK ((lease IS NOT NULL) = (state = 'leased')),
  attempts    bigint  NOT NULL DEFAULT 0,
  refusals    bigint  NOT NULL DEFAULT 0,
  reason      text
);
-- An ordering key that is held up has one row here, however many jobs wait behind it.
CREATE INDEX jobs_due ON tailor_idp.jobs (queue_id, due_at, id) WHERE state IN ('queued', 'leased');
CREATE INDEX jobs_waiting ON tailor_idp.jobs (queue_id, user_id, id) WHERE state = 'waiting';
CREATE UNIQUE INDEX jobs_next_of_user ON tailor_idp.jobs (queue_id, user_id)
  WHERE event_id IS NOT NULL AND state IN ('queued', 'leased');
CREATE INDEX jobs_by_user ON tailor_idp.jobs (queue_id, user_id, id);
CREATE UNIQUE INDEX jobs_by_event ON tailor_idp.jobs (queue_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX jobs_by_queue ON tailor_idp.jobs (queue_id, id);
CREATE INDEX jobs_dead ON tailor_idp.jobs (queue_id, id) WHERE state = 'dead';
CREATE INDEX jobs_finished ON tailor_idp.jobs (queue_id, finished_at) WHERE finished_at IS NOT NULL;

-- At most one token for each user. Of the token itself there is only the SHA-256.
CREATE TABLE tailor_idp.reset_tokens (
  namespace_id integer NOT NULL,
  user_id      uuid    NOT NULL,
  hash         bytea   NOT NULL UNIQUE,
  job_id       bigint  NOT NULL REFERENCES tailor_idp.jobs ON DELETE CASCADE,
  expires_at   bigint  NOT NULL,
  PRIMARY KEY (namespace_id, user_id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES tailor_idp.users ON DELETE CASCADE
);
CREATE INDEX reset_tokens_by_job ON tailor_idp.reset_tokens (job_id);

CREATE TABLE tailor_idp.counters (
  namespace_id integer NOT NULL,
  scope        text COLLATE "C" NOT NULL,
  subject      bytea   NOT NULL,
  count        bigint  NOT NULL,
  since        bigint  NOT NULL, -- start of the window
  PRIMARY KEY (namespace_id, scope, subject)
);
CREATE INDEX counters_by_start ON tailor_idp.counters (namespace_id, since);
