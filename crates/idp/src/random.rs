//! Random numbers of the operating system.

/// The operating system provides no random numbers.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system provides no random numbers: {0}")]
pub(crate) struct NoRandomNumbers(getrandom::Error);

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomNumbers> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomNumbers)?;
    Ok(bytes)
}
