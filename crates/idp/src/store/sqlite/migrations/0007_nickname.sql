-- Another name of each user.
ALTER TABLE users ADD COLUMN nickname TEXT;
