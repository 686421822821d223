//! Queries in Auth0's subset of Lucene's syntax.

use crate::model::Timestamp;

/// The length of the quoted names of one query, in bytes. Percent-encoded it triples, and Auth0 refuses long URLs.
const MAX_QUOTED: usize = 1500;

/// `text` as a phrase: quoted, so that nothing in it is an operator or a wildcard.
fn phrase(text: &str) -> String {
    let mut phrase = String::with_capacity(text.len() + 2);
    phrase.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            phrase.push('\\');
        }
        phrase.push(char);
    }
    phrase.push('"');
    phrase
}

/// All users of the connection.
pub(super) fn all(connection: &str) -> String {
    format!("identities.connection:{}", phrase(connection))
}

/// The users of the connection who were created then or later.
pub(super) fn since(connection: &str, time: Timestamp) -> String {
    format!("{} AND created_at:[{time} TO *]", all(connection))
}

/// The users of the connection with these usernames.
fn with_usernames(connection: &str, phrases: &[String]) -> String {
    format!("{} AND username:({})", all(connection), phrases.join(" OR "))
}

/// The users of the connection with these usernames, in as many queries as it takes: each finds at most `max` users.
pub(super) fn by_usernames<'a>(connection: &str, usernames: impl Iterator<Item = &'a str>, max: usize) -> Vec<String> {
    let (mut queries, mut phrases, mut length) = (Vec::new(), Vec::new(), 0);
    for phrase in usernames.map(phrase) {
        if !phrases.is_empty() && (phrases.len() == max || length + phrase.len() > MAX_QUOTED) {
            queries.push(with_usernames(connection, &phrases));
            phrases.clear();
            length = 0;
        }
        length += phrase.len();
        phrases.push(phrase);
    }
    if !phrases.is_empty() {
        queries.push(with_usernames(connection, &phrases));
    }
    queries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits a query as Lucene's parser does: phrases without their quotes, and the text around them.
    fn tokens(query: &str) -> Result<(Vec<String>, Vec<String>), &'static str> {
        let (mut around, mut phrases) = (vec![String::new()], Vec::new());
        let mut chars = query.chars();
        while let Some(char) = chars.next() {
            if char != '"' {
                around.last_mut().unwrap().push(char);
                continue;
            }
            let mut phrase = String::new();
            loop {
                match chars.next().ok_or("a phrase is open")? {
                    '"' => break,
                    '\\' => phrase.push(chars.next().ok_or("an escape is open")?),
                    char => phrase.push(char),
                }
            }
            phrases.push(phrase);
            around.push(String::new());
        }
        Ok((phrases, around))
    }

    fn hostile() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just("\") OR _exists_:(\"".to_owned()),
            Just(" AND NOT ".to_owned()),
            "[*?~^:(){}\\[\\]/&|!+-]",
            "\\PC{1,4}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(part, 1..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn names_are_only_ever_phrases_of_a_query(names in prop::collection::vec(hostile(), 1..6), connection in hostile()) {
            let queries = by_usernames(&connection, names.iter().map(String::as_str), 100);
            let mut found = Vec::new();
            for query in &queries {
                let (phrases, around) = tokens(query).unwrap();
                prop_assert_eq!(&phrases[0], &connection);
                let names = phrases.len() - 1;
                let mut expected = vec!["identities.connection:".to_owned(), " AND username:(".to_owned()];
                expected.extend((1..names).map(|_| " OR ".to_owned()));
                expected.push(")".to_owned());
                prop_assert_eq!(around, expected);
                found.extend(phrases.into_iter().skip(1));
            }
            prop_assert_eq!(found, names);
        }
    }

    #[test]
    fn queries_are_split_by_number_and_by_length() {
        let names: Vec<_> = (0..250).map(|n| n.to_string()).collect();
        assert_eq!(by_usernames("staff", names.iter().map(String::as_str), 100).len(), 3);
        let long = "é".repeat(128);
        let queries = by_usernames("staff", std::iter::repeat_n(&*long, 50), 100);
        assert!(queries.iter().all(|query| query.len() < MAX_QUOTED + 600), "{}", queries.len());
        assert_eq!(by_usernames("staff", std::iter::empty(), 100), Vec::<String>::new());
    }
}
