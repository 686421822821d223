//! The types that the settings of `[function]` are read into. Node.js runs the scripts itself, so these settings are validated as the
//! program does and have no effect.

#[path = "../../../src/extension/fetch/address.rs"]
mod address;
#[path = "../../../src/extension/fetch/authorities.rs"]
mod authorities;
#[path = "../../../src/extension/fetch/policy.rs"]
mod policy;

use std::time::Duration;

pub(crate) use self::authorities::CertificateAuthorities;
pub(crate) use self::policy::FetchPolicy;

/// In place of the limits of a function runtime.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) calls: usize,
    pub(crate) others: (),
}

impl Limits {
    pub(crate) fn memory(self, _: usize) -> Self {
        self
    }
}

/// In place of the workers of a function runtime.
pub(crate) enum Workers {
    Threads,
    Processes(ProcessOptions),
}

/// In place of the options of worker processes.
#[derive(Default)]
pub(crate) struct ProcessOptions(());

/// In place of the settings of `fetch`.
#[derive(Debug, Clone, Default)]
pub(crate) struct FetchSettings(());

impl FetchSettings {
    pub(crate) fn allow(self, _: FetchPolicy) -> Self {
        self
    }

    pub(crate) fn timeout(self, _: Duration) -> Self {
        self
    }

    pub(crate) fn max_body(self, _: u64) -> Self {
        self
    }

    pub(crate) fn max_streamed_body(self, _: u64) -> Self {
        self
    }

    pub(crate) fn max_requests(self, _: u32) -> Self {
        self
    }

    pub(crate) fn trust(self, _: &CertificateAuthorities) -> Self {
        self
    }
}
