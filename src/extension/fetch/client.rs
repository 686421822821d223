//! HTTP clients and their DNS resolver, which enforces the network policy on addresses.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use tailor_idp_fetch_policy::{AddressScope, CertificateAuthorities, Denial, is_public};

use super::settings::NameLookup;

/// The default `User-Agent`. Scripts can set another.
const USER_AGENT: &str = concat!("tailor-idp/", env!("CARGO_PKG_VERSION"));

/// Creates a client that connects only to the addresses in `scope`.
///
/// Each scope has its own client and therefore its own connection pool: a request that is restricted to public addresses must
/// not reuse a connection that was opened without this restriction.
pub(super) fn client(
    scope: AddressScope,
    lookup: Option<NameLookup>,
    authorities: &CertificateAuthorities,
) -> Result<reqwest::Client, ClientError> {
    let tls = authorities.tls().map_err(|error| ClientError(error.to_string()))?;
    reqwest::Client::builder()
        // A proxy from HTTP_PROXY would bypass the resolver.
        .no_proxy()
        // The JavaScript of deno_fetch follows redirects, so that each hop is checked and counted.
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(Resolver { scope, lookup }))
        .build()
        .map_err(|error| ClientError(error.without_url().to_string()))
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot start an HTTP client: {0}")]
pub(crate) struct ClientError(String);

/// Resolves names and checks the addresses.
///
/// The connection uses the addresses that were checked, so that a second DNS answer cannot replace them (DNS rebinding).
struct Resolver {
    scope: AddressScope,
    lookup: Option<NameLookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (scope, lookup) = (self.scope, self.lookup.clone());
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
            check_addresses(scope, name, addresses)
        })
    }
}

/// Mixed public and private answers indicate DNS rebinding: reject all.
fn check_addresses(
    scope: AddressScope,
    name: String,
    addresses: Vec<SocketAddr>,
) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    if scope == AddressScope::Public && !addresses.iter().all(|address| is_public(address.ip())) {
        return Err(Denial::NotPublic(name).into());
    }
    Ok(Box::new(addresses.into_iter()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn resolver(scope: AddressScope, answers: &'static [&'static [&'static str]]) -> Resolver {
        let asked = AtomicUsize::new(0);
        let lookup = move |_: &str| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed)];
            Ok(answer.iter().map(|address| address.parse().unwrap()).collect())
        };
        Resolver { scope, lookup: Some(Arc::new(lookup)) }
    }

    async fn answer(resolver: &Resolver) -> Result<usize, String> {
        let found = resolver.resolve("name.example".parse().unwrap()).await;
        found.map(Iterator::count).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn resolver_rejects_an_answer_with_any_private_address() {
        let refused = Err(Denial::NotPublic("name.example".to_owned()).to_string());
        let rebinding =
            resolver(AddressScope::Public, &[&["1.1.1.1", "2606:4700::1"], &["127.0.0.1"], &["1.1.1.1", "::1"]]);
        assert_eq!(answer(&rebinding).await, Ok(2));
        assert_eq!(answer(&rebinding).await, refused);
        assert_eq!(answer(&rebinding).await, refused);
        assert_eq!(answer(&resolver(AddressScope::Any, &[&["10.0.0.7", "::1"]])).await, Ok(2));
    }
}
