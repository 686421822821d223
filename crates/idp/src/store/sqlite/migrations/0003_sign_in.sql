-- Factors of before had no secret: no code could ever have been theirs.
DROP TABLE mfa_factors;

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
