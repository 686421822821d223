//! `fetch`: deno_fetch's JavaScript over ops of our own, in which every rule is enforced.
//!
//! deno_fetch's JavaScript has the classes, the algorithm and the redirects. Each hop comes through [`request`], which asks
//! the [`policy`], counts, and hands the request to a [`client`] that connects no further than allowed.

mod address;
mod body;
mod client;
mod error;
mod policy;
mod request;
mod settings;

use std::borrow::Cow;
use std::rc::Rc;

use deno_core::{CancelHandle, ExtensionFileSource, ascii_str};
use url::Url;

pub use policy::{FetchPolicy, InvalidFetchHost};
pub use settings::{DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_TIMEOUT, FetchSettings};

use self::error::FetchError;
use self::policy::Reach;
use self::request::{op_fetch, op_fetch_send};

/// What deno_fetch's JavaScript asks of extensions that are not here: TLS keys of a client of one's own, and traces.
const ABSENT: [ExtensionFileSource; 1] = [ExtensionFileSource::new("ext:deno_net/02_tls.js", ascii_str!("({})"))];

deno_core::extension!(
    tailor_fetch,
    deps = [deno_webidl, deno_web],
    ops = [op_fetch, op_fetch_send, deno_fetch::op_utf8_to_byte_string],
    options = { settings: FetchSettings },
    state = |state, options| {
        state.put(Fetch::new(options.settings));
    },
    customizer = |extension: &mut deno_core::Extension| {
        let theirs = deno_fetch::deno_fetch::lazy_init().lazy_loaded_js_files;
        extension.lazy_loaded_js_files = Cow::Owned(theirs.iter().chain(&ABSENT).cloned().collect());
    },
    docs = "`fetch` and its classes, within what the host allows.",
);

/// The `fetch` of one execution, in the state of its ops. Where another takes its place, or it is dropped, what it had
/// under way ends.
pub(crate) struct Fetch {
    settings: FetchSettings,
    requests: u32,
    named: Option<reqwest::Client>,
    public: Option<reqwest::Client>,
    end: Rc<CancelHandle>,
}

impl Fetch {
    pub(crate) fn new(settings: FetchSettings) -> Self {
        Self { settings, requests: 0, named: None, public: None, end: CancelHandle::new_rc() }
    }

    /// The client for a request to `url`, which counts from then on.
    fn admit(&mut self, url: &Url) -> Result<reqwest::Client, FetchError> {
        let reach = self.settings.policy.reach(url)?;
        if self.requests >= self.settings.max_requests {
            return Err(FetchError::TooManyRequests(self.settings.max_requests));
        }
        self.requests += 1;
        let client = match reach {
            Reach::Named => &mut self.named,
            Reach::Public => &mut self.public,
        };
        if let Some(client) = client {
            return Ok(client.clone());
        }
        Ok(client.insert(client::client(reach, self.settings.names.clone())?).clone())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
