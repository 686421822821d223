//! Where scripts may send requests with `fetch`: hosts, the addresses behind them, and certificate authorities.

mod address;
mod authorities;
mod policy;

pub use self::address::is_public;
pub use self::authorities::{CertificateAuthorities, InvalidCertificates};
pub use self::policy::{AddressScope, Denial, FetchPolicy, InvalidFetchHost};
