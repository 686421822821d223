//! Pages of users who were looked up by their ids or names, all at once.

use super::DirectoryPage;
use crate::model::UserRecord;

/// The page after the cursor, in creation order, with the exact total. A cursor holds even if its user is deleted.
pub(crate) fn named_page(mut users: Vec<UserRecord>, after: Option<&str>, limit: u32) -> DirectoryPage {
    users.sort_by(|a, b| place(a).cmp(&place(b)));
    users.dedup_by(|a, b| a.id == b.id);
    let total = users.len() as u64;
    if let Some(after) = after {
        users.retain(|user| cursor(user).as_str() > after);
    }
    let limit = limit as usize;
    let next = (users.len() > limit).then(|| limit.checked_sub(1).and_then(|last| users.get(last)).map(cursor));
    users.truncate(limit);
    DirectoryPage { users, next: next.flatten(), total }
}

fn place(user: &UserRecord) -> (i64, &str) {
    (user.created_at.map_or(0, |time| time.unix_millis().max(0)), &user.id)
}

/// Cursors compare as text in the order of places.
fn cursor(user: &UserRecord) -> String {
    let (created_at, id) = place(user);
    format!("{created_at:019} {id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, Version};

    fn user(id: &str, created_at: Option<i64>) -> UserRecord {
        UserRecord {
            id: id.to_owned(),
            name: format!("{id}@example.com"),
            disabled: false,
            created_at: created_at.map(Timestamp::from_unix_millis),
            mfa_factor_ids: Vec::new(),
            version: Version::default(),
        }
    }

    fn ids(page: &DirectoryPage) -> Vec<&str> {
        page.users.iter().map(|user| &*user.id).collect()
    }

    #[test]
    fn pages_are_in_creation_order_and_survive_the_deletion_of_the_cursors_user() {
        let users =
            vec![user("d", Some(9)), user("b", Some(10)), user("a", Some(10)), user("b", Some(10)), user("z", None)];
        let first = named_page(users.clone(), None, 2);
        assert_eq!((ids(&first), first.total), (vec!["z", "d"], 4));
        let mut left = users;
        left.retain(|user| user.id != "d");
        let second = named_page(left, first.next.as_deref(), 2);
        assert_eq!((ids(&second), &second.next), (vec!["a", "b"], &None));
    }
}
