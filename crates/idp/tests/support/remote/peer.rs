//! Servers that stand in for a service, on this machine.

use axum::Router;
use tailor_idp_core::remote::RemoteOptions;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

/// A running server. Ends when it is dropped.
pub(crate) struct Peer {
    pub(crate) url: Url,
    task: AbortHandle,
}

impl Peer {
    /// Serves on a free port.
    pub(crate) async fn start(server: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, server).await.unwrap() }).abort_handle();
        Self { url, task }
    }

    /// The options of a directory that uses this server.
    pub(crate) fn options(&self) -> RemoteOptions {
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
