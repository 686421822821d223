//! Ids of users: UUIDv7.

use uuid::Uuid;

use crate::model::Timestamp;

/// Parses an id in the form in which this store gives ids. `None` for any other form of a UUID: it is not an id of a user.
pub(in crate::store) fn parse_id(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == id).then_some(uuid)
}

/// A new id with this time.
pub(in crate::store) fn new_id(now: Timestamp) -> Uuid {
    let millis = now.unix_millis().max(0).unsigned_abs();
    let nanos = (millis % 1000) as u32 * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix_time(millis / 1000, nanos, 0, 0))
}

/// A new id with this time that is above `newest`, the newest id so far. Called under the write lock: so id order is creation
/// order, even if clocks disagree or one was set back.
#[cfg(feature = "sqlite")]
pub(in crate::store) fn following(newest: Uuid, now: Timestamp) -> Uuid {
    let id = new_id(now);
    // The last 62 bits are random: an overflow does not occur in practice.
    if id > newest { id } else { Uuid::from_u128(newest.as_u128() + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest id with this time.
    #[cfg(feature = "sqlite")]
    fn lowest_id(time: Timestamp) -> Uuid {
        // The first 48 bits of a UUIDv7 are its time (RFC 9562, section 5.7).
        Uuid::from_u128(u128::from(time.unix_millis().max(0).unsigned_abs()) << 80)
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn following_id_is_higher_when_the_clock_was_set_back() {
        let now = Timestamp::from_unix_millis(1_700_000_000_000);
        let first = following(Uuid::nil(), now);
        assert!(first >= lowest_id(now));
        assert!(first < lowest_id(Timestamp::from_unix_millis(now.unix_millis() + 1)));
        let second = following(first, Timestamp::from_unix_millis(0));
        assert_eq!(second.as_u128(), first.as_u128() + 1);
    }

    #[test]
    fn parse_id_accepts_only_the_hyphenated_lower_case_form() {
        let id = new_id(Timestamp::from_unix_millis(0));
        assert_eq!(parse_id(&id.to_string()), Some(id));
        assert_eq!(parse_id(&id.simple().to_string()), None);
        assert_eq!(parse_id("ana"), None);
    }
}
