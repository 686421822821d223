//! Page tokens: where a listing goes on, sealed so that a script can carry one but not make one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{IdpError, NamespaceName, UserQuery};

/// Ahead of everything, so that a later form can be told from this one.
const VERSION: u8 = 1;
/// Half of SHA-256: as hard to forge as to guess a 128-bit key.
const SEAL_LEN: usize = 16;

/// The key that seals a store's page tokens. It lives as long as the users do: a token outlives the process.
pub(crate) type PageTokenKey = [u8; 32];

/// A token that goes on after `cursor`, for this namespace and query only.
pub(super) fn seal(key: &PageTokenKey, namespace: &NamespaceName, query: &UserQuery, cursor: &str) -> String {
    let tag = mac(key, namespace, query, cursor).finalize().into_bytes();
    let mut token = vec![VERSION];
    token.extend_from_slice(&tag[..SEAL_LEN]);
    token.extend_from_slice(cursor.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

/// The cursor in a token, if [`seal`] made the token for this namespace and query.
pub(super) fn open(
    key: &PageTokenKey,
    namespace: &NamespaceName,
    query: &UserQuery,
    token: &str,
) -> Result<String, IdpError> {
    let refused = || {
        IdpError::invalid_argument(
            "after must be the nextPageToken of a page of the same namespace and query, given on unchanged",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (&version, rest) = bytes.split_first().ok_or_else(refused)?;
    let (seal, cursor) = rest.split_at_checked(SEAL_LEN).ok_or_else(refused)?;
    let cursor = std::str::from_utf8(cursor).map_err(|_| refused())?;
    if version != VERSION {
        return Err(refused());
    }
    mac(key, namespace, query, cursor).verify_truncated_left(seal).map_err(|_| refused())?;
    Ok(cursor.to_owned())
}

fn mac(key: &PageTokenKey, namespace: &NamespaceName, query: &UserQuery, cursor: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    // Each part behind its length: no two different lists of parts feed the same bytes.
    let mut part = |text: &str| {
        mac.update(&(text.len() as u64).to_le_bytes());
        mac.update(text.as_bytes());
    };
    part(namespace.as_str());
    part(cursor);
    for filter in [&query.ids, &query.names] {
        match filter {
            None => part("any"),
            Some(values) => {
                part("of");
                part(&values.len().to_string());
                values.iter().for_each(|value| part(value));
            }
        }
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PageTokenKey = [7; 32];

    fn namespace(name: &str) -> NamespaceName {
        NamespaceName::new(name).unwrap()
    }

    fn names(names: &[&str]) -> UserQuery {
        UserQuery { ids: None, names: Some(names.iter().map(ToString::to_string).collect()) }
    }

    #[test]
    fn a_token_opens_where_it_was_sealed_and_nowhere_else() {
        let home = namespace("home");
        let query = names(&["a", "bc"]);
        let token = seal(&KEY, &home, &query, "cursor");
        assert_eq!(open(&KEY, &home, &query, &token).unwrap(), "cursor");
        assert!(open(&[8; 32], &home, &query, &token).is_err(), "another store");
        assert!(open(&KEY, &namespace("away"), &query, &token).is_err(), "another namespace");
        assert!(open(&KEY, &home, &names(&["ab", "c"]), &token).is_err(), "another query");
        assert!(open(&KEY, &home, &UserQuery::default(), &token).is_err(), "no query");
        let ids = UserQuery { ids: query.names.clone(), names: None };
        assert!(open(&KEY, &home, &ids, &token).is_err(), "the same texts as ids");
    }

    #[test]
    fn a_token_with_any_bit_flipped_is_refused() {
        let home = namespace("home");
        let query = UserQuery::default();
        let sealed = URL_SAFE_NO_PAD.decode(seal(&KEY, &home, &query, "c")).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = open(&KEY, &home, &query, &URL_SAFE_NO_PAD.encode(&forged)).unwrap_err();
            assert_eq!(error.code(), crate::idp::Code::InvalidArgument, "bit {bit}");
        }
        for token in ["", "!", "AA", "not a token"] {
            assert!(open(&KEY, &home, &query, token).is_err(), "{token:?}");
        }
    }
}
