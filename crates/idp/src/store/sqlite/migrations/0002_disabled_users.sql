-- Policies that show the disabled users only find them without a walk over all.
CREATE INDEX users_disabled ON users (namespace_id, id) WHERE disabled = 1;
