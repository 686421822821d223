-- queued:  waits until due_at
-- sending: a worker has it until due_at, the end of its lease
-- sent, dead (given up), ended (its link would be of no use): kept for a while, for the rate limit and for a look
ALTER TABLE reset_mails ADD COLUMN state TEXT NOT NULL DEFAULT 'queued'
  CHECK (state IN ('queued', 'sending', 'sent', 'dead', 'ended'));
-- Times are milliseconds since the Unix epoch.
ALTER TABLE reset_mails ADD COLUMN queued_at   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reset_mails ADD COLUMN due_at      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reset_mails ADD COLUMN finished_at INTEGER;
ALTER TABLE reset_mails ADD COLUMN attempts    INTEGER NOT NULL DEFAULT 0;
-- Counts the claims: who holds an older one has lost the mail to another worker.
ALTER TABLE reset_mails ADD COLUMN claims      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reset_mails ADD COLUMN last_error  TEXT;

-- What was queued before there was anything to send it is of any age: nobody waits for it any more.
UPDATE reset_mails SET state = 'ended', finished_at = unixepoch() * 1000, last_error = 'not sent: queued before mails were sent';

CREATE INDEX reset_mails_due ON reset_mails (namespace_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX reset_mails_finished ON reset_mails (namespace_id, finished_at) WHERE finished_at IS NOT NULL;

-- At most one a user: a newer one takes the place of the older. Of the token itself there is but the SHA-256.
CREATE TABLE reset_tokens (
  namespace_id INTEGER NOT NULL,
  user_id      BLOB    NOT NULL,
  hash         BLOB    NOT NULL UNIQUE,
  mail_id      INTEGER NOT NULL REFERENCES reset_mails ON DELETE CASCADE,
  expires_at   INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, user_id),
  FOREIGN KEY (namespace_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX reset_tokens_by_mail ON reset_tokens (mail_id);
