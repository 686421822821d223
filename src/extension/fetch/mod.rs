//! `fetch`: the JavaScript of deno_fetch on top of ops that enforce the network policy.
//!
//! The classes, the fetch algorithm and redirects are deno_fetch's JavaScript. Each hop of a redirect is a separate request
//! in [`request`], which checks the [`FetchPolicy`], counts the request and sends it with a [`client`] that connects only to allowed
//! addresses.

mod body;
mod client;
mod error;
mod request;
mod settings;
mod transport;

use std::borrow::Cow;
use std::rc::Rc;

use deno_core::{CancelHandle, ExtensionFileSource, ascii_str};
use tailor_idp_fetch_policy::AddressScope;
use url::Url;

pub use tailor_idp_fetch_policy::{CertificateAuthorities, FetchPolicy, InvalidCertificates, InvalidFetchHost};

pub use self::settings::{
    DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_MAX_STREAMED_BODY, DEFAULT_FETCH_TIMEOUT,
    FetchSettings,
};

use self::body::op_fetch_stream_body;
pub(crate) use self::body::{Allowance, ResponseReader};
use self::error::FetchError;
pub(crate) use self::request::{BodyLength, PreparedRequest, RequestFailure};
use self::request::{op_fetch, op_fetch_send};
pub(crate) use self::transport::{
    FetchFailure, FetchTransport, RemoteChunks, RemoteResponse, ResponseHead, ScriptBody, ScriptRequest,
};

/// An empty script in place of deno_net's, which the JavaScript of deno_fetch loads for custom TLS keys.
const STUBS: [ExtensionFileSource; 1] = [ExtensionFileSource::new("ext:deno_net/02_tls.js", ascii_str!("({})"))];

deno_core::extension!(
    tailor_fetch,
    deps = [deno_webidl, deno_web],
    ops = [op_fetch, op_fetch_send, op_fetch_stream_body, deno_fetch::op_utf8_to_byte_string],
    options = { settings: FetchSettings },
    state = |state, options| {
        state.put(Fetch::new(options.settings));
    },
    customizer = |extension: &mut deno_core::Extension| {
        let scripts = deno_fetch::deno_fetch::lazy_init().lazy_loaded_js_files;
        extension.lazy_loaded_js_files = Cow::Owned(scripts.iter().chain(&STUBS).cloned().collect());
    },
    docs = "Defines `fetch` and its classes, restricted to allowed hosts.",
);

/// The state of `fetch` in one execution. Kept in the [`OpState`](deno_core::OpState).
///
/// Dropping or replacing it cancels the requests in flight.
pub(crate) struct Fetch {
    settings: FetchSettings,
    requests: u32,
    any_client: Option<reqwest::Client>,
    public_client: Option<reqwest::Client>,
    cancel_all: Rc<CancelHandle>,
}

impl Fetch {
    pub(crate) fn new(settings: FetchSettings) -> Self {
        Self { settings, requests: 0, any_client: None, public_client: None, cancel_all: CancelHandle::new_rc() }
    }

    /// Checks and counts a request to `url`, and returns the client to send it with.
    fn admit(&mut self, url: &Url) -> Result<reqwest::Client, FetchError> {
        let scope = self.settings.policy.check(url)?;
        if self.requests >= self.settings.max_requests {
            return Err(FetchError::TooManyRequests(self.settings.max_requests));
        }
        self.requests += 1;
        let client = match scope {
            AddressScope::Any => &mut self.any_client,
            AddressScope::Public => &mut self.public_client,
        };
        if let Some(client) = client {
            return Ok(client.clone());
        }
        let FetchSettings { resolver, authorities, .. } = &self.settings;
        Ok(client.insert(client::client(scope, resolver.clone(), authorities)?).clone())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.cancel_all.cancel();
    }
}
