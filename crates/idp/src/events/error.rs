//! Failures of reading events.

use crate::model::IdpError;
use crate::store::StoreError;

/// The maximum length of a consumer's name in characters.
const MAX_CONSUMER_NAME: usize = 64;

/// A failure to read or settle events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The namespace does not exist or has no events.
    #[error(transparent)]
    Namespace(#[from] IdpError),

    /// The name of the consumer is malformed.
    #[error("a consumer's name is 1 to {MAX_CONSUMER_NAME} letters, digits, hyphens, dots and underscores: got {0:?}")]
    ConsumerName(String),

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks the name of a consumer.
pub(super) fn check_consumer_name(name: &str) -> Result<(), EventError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > MAX_CONSUMER_NAME || !name.bytes().all(fits) {
        return Err(EventError::ConsumerName(crate::model::shortened(name).into_owned()));
    }
    Ok(())
}
