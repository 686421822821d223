//! Listing: pages, filters and totals.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{UserQuery, UserRecord};
use crate::store::Page;

const ANYONE: UserQuery = UserQuery { ids: None, names: None };

fn query(ids: Option<Vec<String>>, names: Option<Vec<&str>>) -> UserQuery {
    UserQuery { ids, names: names.map(|names| names.into_iter().map(ToOwned::to_owned).collect()) }
}

fn ids<'a>(users: impl IntoIterator<Item = &'a UserRecord>) -> Option<Vec<String>> {
    Some(users.into_iter().map(|user| user.id.clone()).collect())
}

/// The pages that a walk over the matches must give.
fn pages_of(matches: &[UserRecord], limit: usize) -> Vec<Page> {
    let total = matches.len() as u64;
    let count = matches.len().div_ceil(limit);
    let page = |(index, users): (usize, &[UserRecord])| Page { users: users.to_vec(), more: index + 1 < count, total };
    matches.chunks(limit).enumerate().map(page).collect()
}

pub async fn pages_of_every_size_contain_everyone_in_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 13).await;
    for limit in 1..=14 {
        assert_eq!(walk(&store, &ANYONE, limit).await, pages_of(&users, limit as usize), "pages of {limit}");
    }
    assert_eq!(walk(&store, &ANYONE, 1000).await, pages_of(&users, 1000));
}

pub async fn last_page_has_no_more(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 6).await;
    assert!(!page(&store, &ANYONE, None, 6).await.more);
    assert!(page(&store, &ANYONE, None, 5).await.more);
    assert!(!page(&store, &ANYONE, Some(&users[2].id), 3).await.more);
    let beyond = page(&store, &ANYONE, Some(&users[5].id), 3).await;
    assert_eq!(beyond, Page { users: vec![], more: false, total: 6 });
    delete(&store, &users[5].id).await.unwrap();
    assert!(!page(&store, &ANYONE, None, 5).await.more, "the sixth was deleted");
    insert(&store, "another").await;
    assert!(page(&store, &ANYONE, None, 5).await.more, "another sixth");
}

pub async fn empty_namespace_has_one_empty_page(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let empty = Page { users: vec![], more: false, total: 0 };
    assert_eq!(page(&store, &ANYONE, None, 10).await, empty);
    assert_eq!(page(&store, &query(None, Some(vec!["ana"])), None, 10).await, empty);
}

pub async fn walk_contains_users_who_stay_exactly_once(db: Fixture<impl Backend>) {
    for limit in [1, 2, 3, 7] {
        let store = db.namespace(&format!("pages-of-{limit}")).await;
        let users = insert_many(&store, "user", 40).await;
        // Every third user is deleted during the walk: some before the walk reaches them, some right after, some as the cursor.
        let (mut leaving, staying): (Vec<_>, Vec<_>) = users.iter().enumerate().partition(|(index, _)| index % 3 == 1);
        let mut seen = Vec::new();
        let mut after: Option<String> = None;
        for step in 0.. {
            let page = page(&store, &ANYONE, after.as_deref(), limit).await;
            after = page.users.last().map(|user| user.id.clone()).or(after);
            seen.extend(page.users.into_iter().map(|user| user.id));
            if !page.more {
                break;
            }
            let leaver = if step % 2 == 0 { leaving.pop() } else { (!leaving.is_empty()).then(|| leaving.remove(0)) };
            if let Some((_, leaver)) = leaver {
                delete(&store, &leaver.id).await.unwrap();
            }
            if step < 30 {
                insert(&store, format!("late{step}")).await;
            }
        }
        assert!(seen.is_sorted(), "in creation order");
        let once: HashSet<_> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "nobody twice");
        let missed: Vec<_> = staying.iter().filter(|(_, user)| !once.contains(&user.id)).collect();
        assert_eq!(missed, Vec::<&(usize, &UserRecord)>::new(), "pages of {limit}");
    }
}

pub async fn walk_continues_after_a_deleted_user(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 9).await;
    for gone in [2, 0, 8] {
        delete(&store, &users[gone].id).await.unwrap();
    }
    let rest = page(&store, &ANYONE, Some(&users[2].id), 3).await;
    assert_eq!((names(&rest.users), rest.more), (vec!["user3", "user4", "user5"], true));
    let rest = page(&store, &ANYONE, Some(&users[0].id), 1).await;
    assert_eq!((names(&rest.users), rest.more), (vec!["user1"], true));
    let rest = page(&store, &ANYONE, Some(&users[8].id), 1).await;
    assert_eq!((names(&rest.users), rest.more, rest.total), (vec![], false, 6));
}

pub async fn walk_beside_writers_contains_users_who_stay_exactly_once(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let stop = Arc::new(AtomicBool::new(false));
    let staying: Vec<_> = insert_many(&store, "staying", 60).await.into_iter().map(|user| user.id).collect();
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut previous = insert(&store, format!("passing{writer}")).await;
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let next = insert(&store, format!("passing{writer}-{round}")).await;
                    delete(&store, &previous.id).await.unwrap();
                    previous = next;
                }
            })
        })
        .collect();
    for limit in [1, 2, 5, 59, 60, 61, 1000] {
        let pages = walk(&store, &ANYONE, limit).await.into_iter().flat_map(|page| page.users);
        let seen: Vec<_> = pages.map(|user| user.id).collect();
        assert!(seen.is_sorted_by(|one, next| one < next), "in creation order, nobody twice: {seen:?}");
        let stayed: Vec<_> = seen.into_iter().filter(|id| staying.contains(id)).collect();
        assert_eq!(stayed, staying, "pages of {limit}");
    }
    stop.store(true, Ordering::Relaxed);
    join_all(writers).await.into_iter().for_each(Result::unwrap);
}

pub async fn total_counts_all_matches_on_every_page(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 10).await;
    let some = query(None, Some(vec!["user1", "user5", "user9", "nobody"]));
    for after in [None, Some(users[0].id.as_str()), Some(&users[5].id), Some(&users[9].id)] {
        for limit in [1, 3, 1000] {
            assert_eq!(page(&store, &ANYONE, after, limit).await.total, 10);
            assert_eq!(page(&store, &some, after, limit).await.total, 3);
        }
    }
    delete(&store, &users[5].id).await.unwrap();
    assert_eq!((total(&store).await, page(&store, &some, None, 1).await.total), (9, 2));
    insert(&store, "nobody").await;
    assert_eq!((total(&store).await, page(&store, &some, None, 1).await.total), (10, 3));
}

pub async fn filters_by_id_and_name_combine_with_and(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 6).await;
    let found = async |query: UserQuery| {
        let Page { users, more, total } = page(&store, &query, None, 100).await;
        assert_eq!((total, more), (users.len() as u64, false), "{query:?}");
        users.into_iter().map(|user| user.name).collect::<Vec<_>>()
    };
    assert_eq!(found(query(ids(&users[1..4]), None)).await, ["user1", "user2", "user3"]);
    // In creation order, not in the order of names.
    delete(&store, &users[0].id).await.unwrap();
    insert(&store, "user0").await;
    assert_eq!(found(query(None, Some(vec!["user0", "user1", "user5"]))).await, ["user1", "user5", "user0"]);
    assert_eq!(found(query(ids(&users[1..4]), Some(vec!["user0", "user3", "user4"]))).await, ["user3"]);
    assert_eq!(found(query(ids(&users[1..2]), Some(vec!["user2"]))).await, Vec::<String>::new());
    assert_eq!(found(query(ids(&users[..1]), Some(vec!["user0"]))).await, Vec::<String>::new(), "another user0");
}

pub async fn empty_filters_match_nobody(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 3).await;
    let nobody = Page { users: vec![], more: false, total: 0 };
    for query in [
        query(Some(vec![]), None),
        query(None, Some(vec![])),
        query(Some(vec![]), Some(vec![])),
        query(ids(&users), Some(vec![])),
        query(Some(vec![]), Some(vec!["user1"])),
    ] {
        assert_eq!(page(&store, &query, None, 10).await, nobody, "{query:?}");
    }
}

pub async fn unknown_and_malformed_filter_entries_match_nobody(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 3).await;
    let mut some = other_ids(&users[1].id);
    let nobody = Page { users: vec![], more: false, total: 0 };
    assert_eq!(page(&store, &query(Some(some.clone()), None), None, 10).await, nobody);
    some.push(users[1].id.clone());
    let found = Page { users: vec![users[1].clone()], more: false, total: 1 };
    assert_eq!(page(&store, &query(Some(some.clone()), None), None, 10).await, found);
    let odd = vec!["", "USER1", "user1", "user1 ", "user1\0", "user%", "1", "\0"];
    assert_eq!(page(&store, &query(None, Some(odd.clone())), None, 10).await, found);
    assert_eq!(page(&store, &query(Some(some), Some(odd)), None, 10).await, found);
}

pub async fn filtered_pages_of_every_size_contain_every_match_in_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 24).await;
    let matches: Vec<_> = users.iter().step_by(3).cloned().collect();
    let by_names = || Some(names(&matches));
    for query in [query(ids(&matches), None), query(None, by_names()), query(ids(&users[..22]), by_names())] {
        for limit in 1..=9 {
            let expected = pages_of(&matches, limit as usize);
            assert_eq!(walk(&store, &query, limit).await, expected, "pages of {limit} of {query:?}");
        }
    }
}

pub async fn filters_take_a_thousand_entries(db: Fixture<impl Backend>) {
    let store = db.users().await;
    join_all((0..1000).map(|index| insert(&store, format!("user{index}")))).await;
    let users = everyone(&store).await;
    let expected = Page { users: users.clone(), more: false, total: 1000 };
    let by_names = Some(names(&users));
    for query in [query(ids(&users), None), query(None, by_names.clone()), query(ids(&users), by_names)] {
        assert!(page(&store, &query, None, 1000).await == expected);
    }
}

pub async fn page_and_total_are_read_at_one_point_in_time(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..20 {
                let users = join_all((0..10).map(|n| insert(&store, format!("{round}-{n}")))).await;
                join_all(users.iter().skip(5).map(|user| delete(&store, &user.id))).await;
            }
        })
    };
    let mut totals = HashSet::new();
    while !writer.is_finished() {
        let page = page(&store, &ANYONE, None, 1000).await;
        assert_eq!(page.users.len() as u64, page.total);
        totals.insert(page.total);
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert!(totals.len() > 1, "the reader never ran beside the writer");
    assert_eq!(total(&store).await, 100);
}
