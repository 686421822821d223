//! Certificate authorities that `fetch` trusts, and the TLS configuration with them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Private certificate authorities that `fetch` trusts in addition to the public ones.
#[derive(Clone, Default)]
pub struct CertificateAuthorities {
    certificates: Vec<CertificateDer<'static>>,
    /// Created once, since a client is made for each execution.
    tls: Arc<OnceLock<Result<ClientConfig, rustls::Error>>>,
}

/// A text that contains no certificates that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCertificates {
    /// Broken PEM. The text is the parser's.
    #[error("is not valid PEM: {0}")]
    Pem(String),
    /// PEM without a certificate, or no PEM at all.
    #[error("contains no certificate in PEM form, which starts with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// A certificate that cannot be parsed, by its number in the text, from 1.
    #[error("certificate {number} is malformed: {reason}")]
    Malformed {
        /// Number of the certificate in the text, from 1.
        number: usize,
        /// Why it cannot be used.
        reason: String,
    },
}

impl CertificateAuthorities {
    /// Reads one or more certificates in PEM form. Other sections of the text, such as keys, are ignored.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificates`] if the text has no certificate, or one that is malformed.
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidCertificates> {
        let certificates = CertificateDer::pem_slice_iter(text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| InvalidCertificates::Pem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(InvalidCertificates::Empty);
        }
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|error| InvalidCertificates::Malformed { number: index + 1, reason: error.to_string() })?;
        }
        Ok(Self { certificates, tls: Arc::default() })
    }

    /// These authorities and those of `other`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        // A new list would be without the TLS configuration that its clones share.
        match (self.certificates.is_empty(), other.certificates.is_empty()) {
            (_, true) => return self.clone(),
            (true, false) => return other.clone(),
            (false, false) => {}
        }
        let certificates = self.certificates.iter().chain(&other.certificates).cloned().collect();
        Self { certificates, tls: Arc::default() }
    }

    /// TLS with Mozilla's root certificates instead of the machine's, and with these authorities.
    ///
    /// # Errors
    ///
    /// Fails if the TLS library does not accept the configuration.
    pub fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        // Without authorities, one configuration serves the whole process.
        static PUBLIC: OnceLock<Result<ClientConfig, rustls::Error>> = OnceLock::new();
        let shared = if self.certificates.is_empty() { &PUBLIC } else { &*self.tls };
        shared.get_or_init(|| self.new_tls()).clone()
    }

    fn new_tls(&self) -> Result<ClientConfig, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in &self.certificates {
            roots.add(certificate.clone())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for CertificateAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateAuthorities({} private)", self.certificates.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_and_none_share_their_tls_configuration() {
        let authorities = |certificates: &[u8]| CertificateAuthorities {
            certificates: certificates.iter().map(|byte| vec![*byte].into()).collect(),
            tls: Arc::default(),
        };
        let (none, one, other) = (authorities(&[]), authorities(&[1]), authorities(&[2]));
        for (both, expected) in [(one.and(&none), &one), (none.and(&one), &one), (none.and(&none), &none)] {
            assert_eq!(both.certificates, expected.certificates);
            assert!(Arc::ptr_eq(&both.tls, &expected.tls));
        }
        let both = one.and(&other);
        assert_eq!(both.certificates, authorities(&[1, 2]).certificates);
        assert!(!Arc::ptr_eq(&both.tls, &one.tls) && !Arc::ptr_eq(&both.tls, &other.tls));
    }

    #[test]
    fn pem_is_checked() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, expected) in [
            ("", InvalidCertificates::Empty.to_string()),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", InvalidCertificates::Empty.to_string()),
            (certificate, "certificate 1 is malformed: ".to_owned()),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is not valid PEM: ".to_owned()),
        ] {
            let error = CertificateAuthorities::from_pem(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
