//! Page tokens: cursors under a seal, so that a script can pass one on but not make one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::{IdpError, NamespaceName, UserQuery, internal};

/// The first byte of a token: tells formats apart.
const VERSION: u8 = 2;
/// The first byte of a token of the previous format, which [`open`] accepts: listings in progress survive an upgrade.
const PREVIOUS_VERSION: u8 = 1;
/// The length of the seal in bytes: half of SHA-256, as hard to forge as guessing a 128-bit key.
const SEAL_LEN: usize = 16;

/// The key that seals page tokens.
pub(super) type SealKey = [u8; 32];

/// The listing that a token belongs to. The seal covers its serialised form, so that a field added to the query is covered
/// without further code.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Listing<'a> {
    pub(super) namespace: &'a str,
    pub(super) query: &'a UserQuery,
}

impl<'a> Listing<'a> {
    pub(super) fn new(namespace: &'a NamespaceName, query: &'a UserQuery) -> Self {
        Self { namespace: namespace.as_str(), query }
    }
}

/// A token for the page of `listing` after `cursor`.
pub(super) fn seal(key: &SealKey, listing: Listing<'_>, cursor: &str) -> Result<String, IdpError> {
    let tag = mac(key, listing, cursor)?.finalize().into_bytes();
    let mut token = vec![VERSION];
    token.extend_from_slice(&tag[..SEAL_LEN]);
    token.extend_from_slice(cursor.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(token))
}

/// The cursor in a token that was made for this listing: by [`seal`], or in the previous format.
pub(super) fn open(key: &SealKey, listing: Listing<'_>, token: &str) -> Result<String, IdpError> {
    let refused = || {
        IdpError::invalid_argument(
            "after must be the nextPageToken of a page of the same namespace and query, given on unchanged",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (&version, rest) = bytes.split_first().ok_or_else(refused)?;
    let (seal, cursor) = rest.split_at_checked(SEAL_LEN).ok_or_else(refused)?;
    let cursor = std::str::from_utf8(cursor).map_err(|_| refused())?;
    let mac = match version {
        VERSION => mac(key, listing, cursor)?,
        PREVIOUS_VERSION => previous_mac(key, listing, cursor)?,
        _ => return Err(refused()),
    };
    mac.verify_truncated_left(seal).map_err(|_| refused())?;
    Ok(cursor.to_owned())
}

fn mac(key: &SealKey, listing: Listing<'_>, cursor: &str) -> Result<Hmac<Sha256>, IdpError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(internal)?;
    // JSON is self-delimiting: no two listings and cursors have the same bytes.
    let listing = serde_json::to_vec(&(listing, cursor)).map_err(internal)?;
    mac.update(&listing);
    Ok(mac)
}

/// The seal of the previous format: each part after its length.
fn previous_mac(key: &SealKey, listing: Listing<'_>, cursor: &str) -> Result<Hmac<Sha256>, IdpError> {
    // Exhaustive: the compiler points here when a filter is added. The previous format does not cover it: refuse the token of a
    // query that has it.
    let UserQuery { ids, names } = listing.query;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(internal)?;
    let mut part = |text: &str| {
        mac.update(&(text.len() as u64).to_le_bytes());
        mac.update(text.as_bytes());
    };
    part(listing.namespace);
    part(cursor);
    for filter in [ids, names] {
        match filter {
            None => part("any"),
            Some(values) => {
                part("of");
                part(&values.len().to_string());
                values.iter().for_each(|value| part(value));
            }
        }
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    const KEY: SealKey = [7; 32];

    fn namespace(name: &str) -> NamespaceName {
        NamespaceName::new(name).unwrap()
    }

    fn names(names: &[&str]) -> UserQuery {
        UserQuery { ids: None, names: Some(names.iter().map(ToString::to_string).collect()) }
    }

    #[test]
    fn token_opens_only_for_the_listing_it_was_sealed_for() {
        let (home, away) = (namespace("home"), namespace("away"));
        let query = names(&["a", "bc"]);
        let token = seal(&KEY, Listing::new(&home, &query), "cursor").unwrap();
        assert_eq!(open(&KEY, Listing::new(&home, &query), &token).unwrap(), "cursor");
        assert!(open(&[8; 32], Listing::new(&home, &query), &token).is_err(), "another key");
        assert!(open(&KEY, Listing::new(&away, &query), &token).is_err(), "another namespace");
        let ids = UserQuery { ids: query.names.clone(), names: None };
        for other in [names(&["ab", "c"]), UserQuery::default(), ids] {
            assert!(open(&KEY, Listing::new(&home, &other), &token).is_err(), "{other:?}");
        }
    }

    #[test]
    fn token_of_the_previous_format_opens_only_for_its_listing() {
        let (home, away) = (namespace("home"), namespace("away"));
        let both = UserQuery { ids: Some(vec!["a".to_owned()]), names: Some(Vec::new()) };
        // Made by the program that had this format.
        let tokens = [
            (UserQuery::default(), "ARoqUSOEco-NBJxri04qDxxjdXJzb3I"),
            (names(&["a", "bc"]), "ARSy8oTTSrevcXmfDS3XUMtjdXJzb3I"),
            (both, "Ac8ASsn8rP5-d7fUWc4T1SJjdXJzb3I"),
        ];
        for (query, token) in &tokens {
            for (other, _) in &tokens {
                let opened = open(&KEY, Listing::new(&home, other), token).ok();
                assert_eq!(opened.as_deref(), (query == other).then_some("cursor"), "{other:?}");
            }
            assert!(open(&KEY, Listing::new(&away, query), token).is_err(), "another namespace");
            assert!(open(&[8; 32], Listing::new(&home, query), token).is_err(), "another key");
        }
    }

    #[test]
    fn token_with_any_bit_flipped_is_rejected() {
        let (home, query) = (namespace("home"), UserQuery::default());
        let listing = Listing::new(&home, &query);
        let sealed = URL_SAFE_NO_PAD.decode(seal(&KEY, listing, "c").unwrap()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = open(&KEY, listing, &URL_SAFE_NO_PAD.encode(&forged)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "bit {bit}");
        }
        for token in ["", "!", "AA", "not a token"] {
            assert!(open(&KEY, listing, token).is_err(), "{token:?}");
        }
    }
}
