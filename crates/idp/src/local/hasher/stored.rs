//! Hashes of other programs: the kinds that sign-in verifies, and bounds on their cost.

use argon2::password_hash::phc::{ParamsString, PasswordHash};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use bcrypt::HashParts;
use pbkdf2::Pbkdf2;
use scrypt::Scrypt;

/// The maximum memory of a hash in KiB. A hash above it could exhaust the host's memory.
pub(super) const MAX_MEMORY_KIB: u32 = 256 * 1024;

/// The maximum number of passes of an Argon2 hash. At the maximum memory they take seconds.
pub(super) const MAX_ARGON2_PASSES: u32 = 20;

/// The maximum number of lanes of an Argon2 hash. They are computed one after the other, and do not add work: the bound is that of
/// a large machine.
const MAX_ARGON2_LANES: u32 = 64;

/// The maximum parallelism of a scrypt hash. OWASP recommends at most 10.
const MAX_SCRYPT_PARALLELISM: u32 = 16;

/// The maximum work of a scrypt hash in KiB, its memory times its parallelism: what OWASP recommends takes at most 128 MiB, and the
/// lanes are computed one after the other. At the maximum they take seconds.
const MAX_SCRYPT_WORK_KIB: u64 = 4 * MAX_MEMORY_KIB as u64;

/// The maximum number of iterations of a PBKDF2 hash: three times what OWASP recommends.
const MAX_PBKDF2_ITERATIONS: u32 = 2_000_000;

/// The number of bytes of a password that bcrypt compares: a longer one has the hash of its beginning.
const BCRYPT_PASSWORD_BYTES: usize = 72;

/// The costs of bcrypt hashes, as powers of two. The highest takes seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=15;

/// The prefixes of bcrypt hashes. `$2x$` hashes were made by a faulty implementation, and are not among them.
const BCRYPT_PREFIXES: [&str; 3] = ["$2a$", "$2b$", "$2y$"];

/// The version of Argon2 hashes without a version: the PHC form did not have one then.
const UNNAMED_VERSION: u32 = 0x10;

/// The kinds of hashes that sign-in verifies, for messages.
const KINDS: &str = "argon2id, argon2i, argon2d, scrypt, pbkdf2-sha256 and pbkdf2-sha512 as PHC strings, and bcrypt's \
                     $2a$, $2b$ and $2y$";

/// The reason why a password hash cannot be imported or verified. Texts do not contain the hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableHash {
    /// The kind is not known.
    #[error("the kind of the hash is not supported: use one of {KINDS}")]
    Kind,
    /// A part is missing.
    #[error("the {kind} hash is incomplete: it has no {part}")]
    Incomplete {
        /// The kind of the hash.
        kind: &'static str,
        /// The missing part.
        part: &'static str,
    },
    /// The hash is not of the form of its kind.
    #[error("the {kind} hash is malformed: {reason}")]
    Malformed {
        /// The kind of the hash.
        kind: &'static str,
        /// The fault.
        reason: String,
    },
    /// The hash takes too much time or memory.
    #[error("the {kind} hash is too expensive: {cost} is at most {max}, got {value}")]
    TooExpensive {
        /// The kind of the hash.
        kind: &'static str,
        /// The parameter, with its unit.
        cost: &'static str,
        /// The maximum.
        max: u64,
        /// The value of the hash.
        value: u64,
    },
}

/// A complete hash of a known kind, whose cost is within bounds.
#[derive(Debug)]
pub(in crate::local) enum StoredHash<'a> {
    Argon2 { hash: Box<PasswordHash>, params: Params },
    Scrypt(Box<PasswordHash>),
    Pbkdf2(Box<PasswordHash>),
    Bcrypt(&'a str),
}

impl<'a> StoredHash<'a> {
    /// Parses a hash without computing anything.
    pub(in crate::local) fn parse(text: &'a str) -> Result<Self, UnusableHash> {
        if BCRYPT_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return bcrypt(text);
        }
        let hash = Box::new(PasswordHash::new(text).map_err(|_| UnusableHash::Kind)?);
        match hash.algorithm.as_str() {
            "argon2id" => argon2("argon2id", hash),
            "argon2i" => argon2("argon2i", hash),
            "argon2d" => argon2("argon2d", hash),
            "scrypt" => scrypt(hash),
            "pbkdf2-sha256" => pbkdf2("pbkdf2-sha256", hash),
            "pbkdf2-sha512" => pbkdf2("pbkdf2-sha512", hash),
            _ => Err(UnusableHash::Kind),
        }
    }

    /// Whether `password` has this hash.
    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, UnusableHash> {
        use argon2::password_hash::Error;
        let (kind, verified) = match self {
            Self::Argon2 { hash, .. } => ("argon2", Argon2::default().verify_password(password, &**hash)),
            Self::Scrypt(hash) => ("scrypt", Scrypt::new().verify_password(password, &**hash)),
            Self::Pbkdf2(hash) => ("pbkdf2", Pbkdf2::default().verify_password(password, &**hash)),
            // Compares the first 72 bytes of the password, as other programs do.
            Self::Bcrypt(text) => return bcrypt::verify(password, text).map_err(|error| malformed("bcrypt", error)),
        };
        match verified {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(malformed(kind, error)),
        }
    }

    /// Whether this is a hash of all of `password`, and not also of longer or shorter ones with the same beginning.
    pub(super) fn covers(&self, password: &[u8]) -> bool {
        !matches!(self, Self::Bcrypt(_)) || password.len() < BCRYPT_PASSWORD_BYTES
    }

    /// Whether this is a hash of the current algorithm and version, with these parameters.
    pub(super) fn is_argon2id(&self, memory_kib: u32, passes: u32) -> bool {
        let Self::Argon2 { hash, params } = self else { return false };
        hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && hash.version == Some(Version::V0x13.into())
            && (params.m_cost(), params.t_cost(), params.p_cost()) == (memory_kib, passes, 1)
    }

    /// The memory of an Argon2 hash; 0 for other kinds.
    #[cfg(test)]
    pub(super) fn argon2_memory_kib(&self) -> u32 {
        match self {
            Self::Argon2 { params, .. } => params.m_cost(),
            Self::Scrypt(_) | Self::Pbkdf2(_) | Self::Bcrypt(_) => 0,
        }
    }
}

fn malformed(kind: &'static str, reason: impl ToString) -> UnusableHash {
    UnusableHash::Malformed { kind, reason: reason.to_string() }
}

/// Fails if `value` is above `max`.
fn limit(kind: &'static str, cost: &'static str, value: u64, max: u64) -> Result<(), UnusableHash> {
    if value > max { Err(UnusableHash::TooExpensive { kind, cost, max, value }) } else { Ok(()) }
}

/// Fails if the salt, the hash or a parameter is missing.
fn require(kind: &'static str, hash: &PasswordHash, params: &[&'static str]) -> Result<(), UnusableHash> {
    let missing = params.iter().find(|name| hash.params.get(**name).is_none()).copied();
    let missing = missing.or(hash.salt.is_none().then_some("salt")).or(hash.hash.is_none().then_some("hash"));
    missing.map_or(Ok(()), |part| Err(UnusableHash::Incomplete { kind, part }))
}

/// A decimal parameter that [`require`] has found.
fn decimal(kind: &'static str, params: &ParamsString, name: &'static str) -> Result<u32, UnusableHash> {
    params.get_decimal(name).ok_or_else(|| malformed(kind, format!("{name} is not a number")))
}

fn argon2(kind: &'static str, mut hash: Box<PasswordHash>) -> Result<StoredHash<'static>, UnusableHash> {
    require(kind, &hash, &["m", "t", "p"])?;
    hash.version = hash.version.or(Some(UNNAMED_VERSION));
    if hash.version.is_none_or(|version| Version::try_from(version).is_err()) {
        return Err(malformed(kind, "its version is neither 16 nor 19"));
    }
    let params = Params::try_from(&*hash).map_err(|error| malformed(kind, error))?;
    limit(kind, "the memory in KiB", params.m_cost().into(), MAX_MEMORY_KIB.into())?;
    limit(kind, "the number of passes", params.t_cost().into(), MAX_ARGON2_PASSES.into())?;
    limit(kind, "the parallelism", params.p_cost().into(), MAX_ARGON2_LANES.into())?;
    Ok(StoredHash::Argon2 { hash, params })
}

fn scrypt(hash: Box<PasswordHash>) -> Result<StoredHash<'static>, UnusableHash> {
    let kind = "scrypt";
    require(kind, &hash, &["ln", "r", "p"])?;
    let [log_n, r, p] = ["ln", "r", "p"].map(|name| decimal(kind, &hash.params, name));
    let (log_n, r, p) = (log_n?, r?, p?);
    // Before `scrypt::Params`, whose checks overflow.
    limit(kind, "the parallelism", p.into(), MAX_SCRYPT_PARALLELISM.into())?;
    let n = 1_u64.checked_shl(log_n).unwrap_or(u64::MAX);
    // N blocks of 128 r bytes, and p of them.
    let memory = u128::from(r) * u128::from(n.max(p.into())) * 128;
    let memory = u64::try_from(memory.div_ceil(1024)).unwrap_or(u64::MAX);
    limit(kind, "the memory in KiB (128 * N * r)", memory, MAX_MEMORY_KIB.into())?;
    let work = memory.saturating_mul(p.into());
    limit(kind, "the work in KiB (128 * N * r * p)", work, MAX_SCRYPT_WORK_KIB)?;
    if log_n == 0 {
        return Err(malformed(kind, "ln is at least 1, got 0"));
    }
    scrypt::Params::try_from(&*hash).map_err(|error| malformed(kind, error))?;
    Ok(StoredHash::Scrypt(hash))
}

fn pbkdf2(kind: &'static str, mut hash: Box<PasswordHash>) -> Result<StoredHash<'static>, UnusableHash> {
    require(kind, &hash, &["i"])?;
    let iterations = decimal(kind, &hash.params, "i")?;
    limit(kind, "the number of iterations", iterations.into(), MAX_PBKDF2_ITERATIONS.into())?;
    let minimum = pbkdf2::Params::MIN_ROUNDS;
    if iterations < minimum {
        return Err(malformed(kind, format!("i is at least {minimum}, got {iterations}")));
    }
    // Without `l`, the crate assumes 32 bytes; most programs write other lengths without saying so.
    if let (None, Some(output)) = (hash.params.get("l"), &hash.hash) {
        let length = u32::try_from(output.len()).map_err(|error| malformed(kind, error))?;
        hash.params.add_decimal("l", length).map_err(|error| malformed(kind, error))?;
    }
    pbkdf2::Params::try_from(&*hash).map_err(|error| malformed(kind, error))?;
    Ok(StoredHash::Pbkdf2(hash))
}

fn bcrypt(text: &str) -> Result<StoredHash<'_>, UnusableHash> {
    let kind = "bcrypt";
    // Two digits: the parser also takes a sign.
    let cost = text.get(4..6).filter(|cost| cost.bytes().all(|byte| byte.is_ascii_digit()));
    let cost =
        cost.and_then(|cost| cost.parse::<u32>().ok()).ok_or_else(|| malformed(kind, "its cost is not two digits"))?;
    limit(kind, "the cost", u64::from(cost), u64::from(*BCRYPT_COSTS.end()))?;
    if cost < *BCRYPT_COSTS.start() {
        return Err(malformed(kind, format!("its cost is at least {}, got {cost}", BCRYPT_COSTS.start())));
    }
    text.parse::<HashParts>().map_err(|error| malformed(kind, error))?;
    Ok(StoredHash::Bcrypt(text))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const SALT: &str = "c29tZXNhbHQ";
    const HASH: &str = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn fault(text: &str) -> String {
        StoredHash::parse(text).unwrap_err().to_string()
    }

    /// The fault of a PHC string with this beginning.
    fn fault_of(beginning: &str) -> String {
        fault(&format!("{beginning}${SALT}${HASH}"))
    }

    #[test]
    fn parse_refuses_other_kinds() {
        let text = "the kind of the hash is not supported: use one of argon2id, argon2i, argon2d, scrypt, pbkdf2-sha256 \
                    and pbkdf2-sha512 as PHC strings, and bcrypt's $2a$, $2b$ and $2y$";
        for other in [
            "hunter2",
            "",
            "$",
            "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
            "$2$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$pbkdf2$i=1000$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
            "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
            "$yescrypt$n=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        ] {
            assert_eq!(fault(other), text, "{other:?}");
        }
    }

    #[test]
    fn parse_refuses_incomplete_hashes() {
        for (incomplete, expected) in [
            ("$argon2id$v=19$m=19456", "the argon2id hash is incomplete: it has no t"),
            ("$argon2id$v=19$m=19456,t=2,p=1", "the argon2id hash is incomplete: it has no salt"),
            ("$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ", "the argon2i hash is incomplete: it has no hash"),
            ("$argon2d$v=19$c29tZXNhbHQ", "the argon2d hash is incomplete: it has no m"),
            ("$scrypt$ln=14,r=8,p=1", "the scrypt hash is incomplete: it has no salt"),
            ("$scrypt$ln=14,r=8$c29tZXNhbHQ", "the scrypt hash is incomplete: it has no p"),
            ("$pbkdf2-sha256$i=600000$c29tZXNhbHQ", "the pbkdf2-sha256 hash is incomplete: it has no hash"),
            ("$pbkdf2-sha512$c29tZXNhbHQ", "the pbkdf2-sha512 hash is incomplete: it has no i"),
        ] {
            assert_eq!(fault(incomplete), expected);
        }
        for incomplete in ["$2b$10$", "$2b$10$N9qo8uLOickgx2ZMRZoMye", "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldG"] {
            assert_eq!(
                fault(incomplete),
                "the bcrypt hash is malformed: Invalid hash: the hash format is malformed; expected 60 ASCII bytes"
            );
        }
    }

    #[test]
    fn parse_accepts_the_highest_costs_and_refuses_higher_ones_without_computing() {
        for (highest, higher, cost) in [
            ("$argon2id$v=19$m=262144,t=20,p=64", "$argon2id$v=19$m=262145,t=20,p=64", "the memory in KiB"),
            ("$argon2i$v=19$m=262144,t=20,p=64", "$argon2i$v=19$m=262144,t=21,p=64", "the number of passes"),
            ("$argon2d$m=262144,t=20,p=64", "$argon2d$m=262144,t=20,p=65", "the parallelism"),
            ("$scrypt$ln=18,r=8,p=1", "$scrypt$ln=18,r=9,p=1", "the memory in KiB (128 * N * r)"),
            ("$scrypt$ln=4,r=131072,p=4", "$scrypt$ln=4,r=131073,p=4", "the memory in KiB (128 * N * r)"),
            ("$scrypt$ln=18,r=8,p=4", "$scrypt$ln=18,r=8,p=5", "the work in KiB (128 * N * r * p)"),
            ("$scrypt$ln=16,r=8,p=16", "$scrypt$ln=17,r=8,p=16", "the work in KiB (128 * N * r * p)"),
            ("$scrypt$ln=14,r=8,p=16", "$scrypt$ln=14,r=8,p=17", "the parallelism"),
            ("$pbkdf2-sha256$i=2000000", "$pbkdf2-sha256$i=2000001", "the number of iterations"),
            ("$pbkdf2-sha512$i=2000000,l=32", "$pbkdf2-sha512$i=4294967295,l=32", "the number of iterations"),
        ] {
            StoredHash::parse(&format!("{highest}${SALT}${HASH}")).unwrap();
            let fault = fault_of(higher);
            assert!(fault.contains(&format!(" hash is too expensive: {cost} is at most ")), "{higher}: {fault}");
        }
        let bcrypt = |cost| format!("$2y${cost}$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy");
        StoredHash::parse(&bcrypt("15")).unwrap();
        assert_eq!(fault(&bcrypt("16")), "the bcrypt hash is too expensive: the cost is at most 15, got 16");
        assert_eq!(
            fault_of("$scrypt$ln=40,r=8,p=1"),
            "the scrypt hash is too expensive: the memory in KiB (128 * N * r) is at most 262144, got 1099511627776"
        );
    }

    #[test]
    fn parse_refuses_parameters_that_overflow_or_are_out_of_range() {
        for beginning in [
            "$scrypt$ln=63,r=4294967295,p=1",
            "$scrypt$ln=255,r=8,p=1",
            "$scrypt$ln=4294967295,r=4294967295,p=4294967295",
            "$scrypt$ln=0,r=8,p=1",
            "$scrypt$ln=14,r=0,p=1",
            "$scrypt$ln=14,r=8,p=0",
            "$scrypt$ln=x,r=8,p=1",
            "$scrypt$v=1$ln=14,r=8,p=1",
            "$argon2id$v=20$m=4096,t=2,p=1",
            "$argon2id$v=19$m=4096,t=0,p=1",
            "$argon2id$v=19$m=4096,t=2,p=0",
            "$argon2id$v=19$m=7,t=2,p=1",
            "$argon2id$v=19$m=4096,t=2,p=4294967295",
            "$argon2id$v=19$m=99999999999,t=2,p=1",
            "$pbkdf2-sha256$i=0",
            "$pbkdf2-sha256$i=999",
            "$pbkdf2-sha256$i=x",
            "$pbkdf2-sha256$i=1000,l=31",
        ] {
            fault_of(beginning);
        }
        for cost in ["00", "03", "+5", "1x", "99"] {
            fault(&format!("$2b${cost}$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"));
        }
    }

    #[test]
    fn verify_agrees_with_other_programs() {
        for (hash, password) in [
            // Python's passlib: passlib.readthedocs.io/en/stable/lib/passlib.hash.scrypt.html.
            ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", "password"),
            // The crate's test of PBKDF2-SHA256, from RFC 6070's inputs.
            (
                "$pbkdf2-sha256$i=4096,l=40$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+HGNVGMfaxH6Q",
                "passwordPASSWORDpassword",
            ),
            // Without a length: crypto.pbkdf2Sync of Node.js, with 20, 32 and 64 bytes.
            ("$pbkdf2-sha256$i=1000$c29kaXVtIGNobG9yaWRlIQ$wjNPKNOWKwdDZ70MMYWcpXx2G+4", "correct horse"),
            (
                "$pbkdf2-sha256$i=1000$c29kaXVtIGNobG9yaWRlIQ$wjNPKNOWKwdDZ70MMYWcpXx2G+5vTLRnPJ4tcYizufQ",
                "correct horse",
            ),
            (
                "$pbkdf2-sha256$i=1000$c29kaXVtIGNobG9yaWRlIQ$wjNPKNOWKwdDZ70MMYWcpXx2G+5vTLRnPJ4tcYizufTVY20d4TtTGHL97bAPFhgkKWy8x0OEmSPctOiEdVRwjA",
                "correct horse",
            ),
            ("$pbkdf2-sha512$i=1000$c29kaXVtIGNobG9yaWRlIQ$gePykWCQHl+2hAMaKOS7ZjRskjQ", "correct horse"),
            (
                "$pbkdf2-sha512$i=1000$c29kaXVtIGNobG9yaWRlIQ$gePykWCQHl+2hAMaKOS7ZjRskjRELho336h9oKCUMkM",
                "correct horse",
            ),
            (
                "$pbkdf2-sha512$i=1000$c29kaXVtIGNobG9yaWRlIQ$gePykWCQHl+2hAMaKOS7ZjRskjRELho336h9oKCUMkPjiTAC4yPAK/E6wJE+wGF1dufJ8Y9ladgizcCTGMa4HA",
                "correct horse",
            ),
            // OpenBSD's form, from the tests of crypt_blowfish.
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
        ] {
            let stored = StoredHash::parse(hash).unwrap();
            assert_eq!(stored.verify(password.as_bytes()), Ok(true), "{hash}");
            assert_eq!(stored.verify(format!("{password}x").as_bytes()), Ok(false), "{hash}");
        }
    }

    #[test]
    fn verify_takes_the_first_72_bytes_of_a_password_as_bcrypt_does() {
        // From the tests of crypt_blowfish: the password has 73 characters, of which the last does not count.
        let stored = StoredHash::parse("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui").unwrap();
        let long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        for (password, right) in
            [(format!("{long}chars after 72 are ignored"), true), (long.into(), true), (long[..71].into(), false)]
        {
            assert_eq!(stored.verify(password.as_bytes()), Ok(right), "{password}");
        }
    }
}
