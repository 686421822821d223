//! Servers that stand in for a service, on this machine.

use std::sync::Arc;

use axum::Router;
use tailor_idp_core::directory::Directory;
use tailor_idp_core::remote::RemoteOptions;
use tailor_idp_core::{CallContext, NamespaceName, NamespaceSettings, Permission, Principal};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

/// A running server. Ends when it is dropped.
pub(super) struct Peer {
    pub(super) url: Url,
    task: AbortHandle,
}

impl Peer {
    /// Serves on a free port.
    pub(super) async fn start(server: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, server).await.unwrap() }).abort_handle();
        Self { url, task }
    }

    /// The options of a directory that uses this server.
    pub(super) fn options(&self) -> RemoteOptions {
        let mut options = RemoteOptions::default();
        options.base_url = Some(self.url.clone());
        options
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The name of the namespace in these tests.
pub(super) fn namespace() -> NamespaceName {
    NamespaceName::new("staff").unwrap()
}

/// The context of a call by the host.
pub(super) fn host() -> CallContext {
    CallContext::new(namespace(), Principal::Host)
}

/// The directory under the default rules, with everything permitted.
pub(super) fn router(directory: impl Directory) -> tailor_idp_core::Router {
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    tailor_idp_core::Router::builder().directory(namespace(), Arc::new(directory), settings).build()
}
