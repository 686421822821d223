//! What the handlers share.

use url::Url;

use super::page::Pages;
use crate::idp::Router;

#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) idp: Router,
    /// URL under which browsers reach the server.
    pub(super) base_url: Url,
    pub(super) pages: Pages,
}
