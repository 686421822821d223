//! The HTTP clients of an execution, and how they find addresses.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;

use super::address::is_public;
use super::policy::{Reach, Refusal};
use super::settings::NameLookup;

/// How a server sees who asks, where the script does not say it.
const USER_AGENT: &str = concat!("tailor-idp/", env!("CARGO_PKG_VERSION"));

/// A client that connects no further than `reach`.
///
/// Two of them, each with connections of its own: one that was opened for a host that is allowed by itself must not serve
/// a request that may reach the public internet only.
pub(super) fn client(reach: Reach, lookup: Option<NameLookup>) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        // Else HTTP_PROXY and its like would send requests elsewhere, past the resolver.
        .no_proxy()
        // fetch's own code follows redirects: so each hop is a request that is checked and counted.
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(tls()?)
        .dns_resolver(Arc::new(Resolver { reach, lookup }))
        .build()
        .map_err(|error| ClientError(error.without_url().to_string()))
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot start an HTTP client: {0}")]
pub(super) struct ClientError(String);

/// Mozilla's roots, whatever the machine trusts. Made once a process.
fn tls() -> Result<rustls::ClientConfig, ClientError> {
    static TLS: OnceLock<Result<rustls::ClientConfig, ClientError>> = OnceLock::new();
    let make = || {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    };
    TLS.get_or_init(make).clone()
}

/// Finds the addresses of a name, and checks them. The connection goes to one of those and to no other: no second
/// answer can take their place.
struct Resolver {
    reach: Reach,
    lookup: Option<NameLookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookup) = (self.reach, self.lookup.clone());
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let addresses: Vec<SocketAddr> = match lookup {
                None => tokio::net::lookup_host((&*name, 0)).await?.collect(),
                Some(lookup) => {
                    let name = name.clone();
                    let addresses = tokio::task::spawn_blocking(move || lookup(&name)).await??;
                    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
                }
            };
            checked(reach, name, addresses)
        })
    }
}

/// All of them, or none: a name that mixes public addresses with others is up to something.
fn checked(reach: Reach, name: String, addresses: Vec<SocketAddr>) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    if reach == Reach::Public && !addresses.iter().all(|address| is_public(address.ip())) {
        return Err(Refusal::NotPublic(name).into());
    }
    Ok(Box::new(addresses.into_iter()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn resolver(reach: Reach, answers: &'static [&'static [&'static str]]) -> Resolver {
        let asked = AtomicUsize::new(0);
        let lookup = move |_: &str| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed)];
            Ok(answer.iter().map(|address| address.parse().unwrap()).collect())
        };
        Resolver { reach, lookup: Some(Arc::new(lookup)) }
    }

    async fn answer(resolver: &Resolver) -> Result<usize, String> {
        let found = resolver.resolve("name.example".parse().unwrap()).await;
        found.map(Iterator::count).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_is_checked_by_every_address_and_at_every_answer() {
        let refused = Err(Refusal::NotPublic("name.example".to_owned()).to_string());
        let rebinding = resolver(Reach::Public, &[&["1.1.1.1", "2606:4700::1"], &["127.0.0.1"], &["1.1.1.1", "::1"]]);
        assert_eq!(answer(&rebinding).await, Ok(2));
        assert_eq!(answer(&rebinding).await, refused);
        assert_eq!(answer(&rebinding).await, refused);
        assert_eq!(answer(&resolver(Reach::Named, &[&["10.0.0.7", "::1"]])).await, Ok(2));
    }
}
