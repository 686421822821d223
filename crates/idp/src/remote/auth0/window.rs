//! Places in a listing, and the requests that read on from there.
//!
//! Auth0 has pages by number only: when a user is deleted, all later users move up by one. So a cursor names the last user that was
//! returned, and the next request reads that user again: if the user is not where it was, the listing looks before that.

use crate::model::{Timestamp, UserRecord};

/// The maximum number of users on one of Auth0's pages.
pub(super) const PAGE: usize = 100;
/// The number of users that Auth0 gives in pages: it refuses pages that end beyond.
pub(super) const WINDOW: usize = 1000;

/// The place after a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of users up to and including this one.
    pub(super) offset: usize,
    pub(super) created_at: Option<Timestamp>,
    pub(super) id: String,
}

impl Place {
    pub(super) fn after(user: &UserRecord, offset: usize) -> Self {
        Self { offset, created_at: user.created_at, id: user.id.clone() }
    }

    pub(super) fn cursor(&self) -> String {
        let created_at = self.created_at.map_or(-1, Timestamp::unix_millis);
        format!("{} {created_at} {}", self.offset, self.id)
    }

    /// The place of a [`cursor`](Self::cursor). `None` for another text.
    pub(super) fn parse(cursor: &str) -> Option<Self> {
        let mut parts = cursor.splitn(3, ' ');
        let offset = parts.next()?.parse().ok().filter(|offset| *offset > 0)?;
        let created_at: i64 = parts.next()?.parse().ok()?;
        let created_at = (created_at >= 0).then(|| Timestamp::from_unix_millis(created_at));
        Some(Self { offset, created_at, id: parts.next()?.to_owned() })
    }

    /// The number of `users` that are not after this place. `None` if all of them are after it, so that there can be more of those
    /// before. If the user was deleted, users of the same millisecond are taken as later: none is left out.
    pub(super) fn passed(&self, users: &[UserRecord]) -> Option<usize> {
        if let Some(place) = users.iter().position(|user| user.id == self.id) {
            return Some(place + 1);
        }
        match users.iter().position(|user| user.created_at >= self.created_at) {
            Some(0) => None,
            Some(later) => Some(later),
            None => (!users.is_empty()).then_some(users.len()),
        }
    }
}

/// The place after a user of a scan, which goes beyond the window: it begins anew with the users who were created since a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanPlace {
    /// The time from which the users are counted.
    pub(super) since: Option<Timestamp>,
    pub(super) place: Place,
}

impl ScanPlace {
    pub(super) fn cursor(&self) -> String {
        format!("{} {}", self.since.map_or(-1, Timestamp::unix_millis), self.place.cursor())
    }

    /// The place of a [`cursor`](Self::cursor). `None` for another text.
    pub(super) fn parse(cursor: &str) -> Option<Self> {
        let (since, place) = cursor.split_once(' ')?;
        let since: i64 = since.parse().ok()?;
        let since = (since >= 0).then(|| Timestamp::from_unix_millis(since));
        Some(Self { since, place: Place::parse(place)? })
    }

    /// The same place, counted from its own user once the window nears its end. Those who were created in the same millisecond as
    /// all others since the last beginning cannot be counted so.
    pub(super) fn rebased(self) -> Self {
        let Self { since, place } = self;
        let near_end = place.offset + PAGE > WINDOW;
        match place.created_at.filter(|time| near_end && Some(*time) > since) {
            Some(time) => Self { since: Some(time), place: Place { offset: 1, ..place } },
            None => Self { since, place },
        }
    }
}

/// One of Auth0's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    /// The page that contains the user number `start` and as many of the following `wanted - 1` as possible. `start` is in the
    /// window.
    pub(super) fn with(start: usize, wanted: usize) -> Self {
        let wanted = wanted.clamp(1, PAGE);
        let pages = (wanted.min(2)..=PAGE).map(|size| Self { number: start / size, size });
        let in_window = pages.filter(|page| page.end() <= WINDOW);
        let best = in_window.min_by_key(|page| (wanted.saturating_sub(page.end() - start), page.size));
        best.unwrap_or(Self { number: start / PAGE, size: PAGE })
    }

    /// The number of users before the page.
    pub(super) fn start(self) -> usize {
        self.number * self.size
    }

    fn end(self) -> usize {
        self.start() + self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;

    #[test]
    fn pages_contain_their_start_and_stay_in_the_window() {
        for start in 0..WINDOW {
            for wanted in [1, 2, 3, 50, 99, 100, 101, 1000] {
                let page = Page::with(start, wanted);
                assert!(
                    page.start() <= start && start < page.end() && page.end() <= WINDOW,
                    "{start} {wanted} {page:?}"
                );
                let reaches = page.end() - start;
                // A user beside the first, except at the end of the window: else a listing would not advance.
                assert!(reaches >= wanted.min(2).min(WINDOW - start), "{start} {wanted} {page:?}");
            }
        }
        assert_eq!(Page::with(0, 100), Page { number: 0, size: 100 });
        assert_eq!(Page::with(0, 10), Page { number: 0, size: 10 });
        assert_eq!(Page::with(9, 11), Page { number: 0, size: 20 });
        assert_eq!(Page::with(99, 100), Page { number: 1, size: 99 });
        assert_eq!(Page::with(999, 2), Page { number: 499, size: 2 });
    }

    fn user(id: &str, created_at: i64) -> UserRecord {
        UserRecord {
            id: id.to_owned(),
            name: id.to_owned(),
            disabled: false,
            created_at: Some(Timestamp::from_unix_millis(created_at)),
            mfa_factor_ids: Vec::new(),
            version: Version::default(),
        }
    }

    #[test]
    fn cursors_name_a_place() {
        let place = Place::after(&user("auth0|a b", 5), 7);
        assert_eq!(place.cursor(), "7 5 auth0|a b");
        assert_eq!(Place::parse(&place.cursor()), Some(place));
        for cursor in ["", "7", "7 5", "0 5 a", "-1 5 a", "x 5 a", "7 y a"] {
            assert_eq!(Place::parse(cursor), None, "{cursor:?}");
        }
    }

    #[test]
    fn scans_begin_anew_near_the_end_of_the_window() {
        let at = |offset, since: Option<i64>| ScanPlace {
            since: since.map(Timestamp::from_unix_millis),
            place: Place::after(&user("auth0|a b", 5), offset),
        };
        for place in [at(7, None), at(900, None), at(950, Some(5)), at(950, Some(6))] {
            assert_eq!(ScanPlace::parse(&place.cursor()).unwrap().rebased(), place);
        }
        for place in [at(901, None), at(1000, Some(4))] {
            assert_eq!(place.rebased(), at(1, Some(5)));
        }
        assert_eq!(ScanPlace::parse("x 7 5 a"), None);
    }

    #[test]
    fn users_up_to_a_place_are_passed_even_if_its_user_was_deleted() {
        let place = Place::after(&user("c", 3), 3);
        let users = |users: &[(&str, i64)]| users.iter().map(|(id, time)| user(id, *time)).collect::<Vec<_>>();
        assert_eq!(place.passed(&users(&[("b", 2), ("c", 3), ("d", 4)])), Some(2));
        assert_eq!(place.passed(&users(&[("b", 2), ("d", 4)])), Some(1));
        assert_eq!(place.passed(&users(&[("a", 1), ("b", 2)])), Some(2));
        assert_eq!(place.passed(&users(&[("b", 2), ("x", 3), ("d", 4)])), Some(1), "the same millisecond");
        assert_eq!(place.passed(&users(&[("d", 4), ("e", 5)])), None);
        assert_eq!(place.passed(&[]), None);
    }
}
