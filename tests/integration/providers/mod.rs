//! Commands over namespaces whose users are at other services.

mod copy;
mod errors;
mod export;
mod online;

use std::net::TcpListener;

use crate::backends::auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, DOMAIN, FakeAuth0};
use crate::backends::emulator::Emulator;
use crate::settings::commands::Folder;
use crate::support::End;

/// A fake of Auth0 on a port of this machine, until the end of the tests.
struct Auth0 {
    fake: FakeAuth0,
    url: String,
}

impl Auth0 {
    fn start() -> Self {
        let fake = FakeAuth0::default();
        let url = serve(fake.front(fake.api()));
        Self { fake, url }
    }

    /// A namespace of the settings over it.
    fn namespace(&self, name: &str) -> String {
        format!(
            "[namespace.{name}.store.auth0]\ndomain = \"{DOMAIN}\"\nclient_id = \"{CLIENT_ID}\"\n\
             client_secret_env = \"AUTH0_SECRET\"\nconnection = \"{CONNECTION}\"\nbase_url = \"{}\"\nretries = 0\n",
            self.url
        )
    }
}

/// Serves on a port of this machine, until the end of the tests. Returns the address.
fn serve(server: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, server).await.unwrap();
        });
    });
    url
}

/// A namespace of the settings over the emulator.
fn workos(emulator: &Emulator, name: &str) -> String {
    format!("[namespace.{name}.store.workos]\napi_key_env = \"WORKOS_KEY\"\nbase_url = \"{}\"\n", emulator.url)
}

/// Runs a command in the folder, with the right secrets.
fn run(folder: &Folder, emulator: Option<&Emulator>, command: &str) -> End {
    let key = emulator.map_or("sk_unused", |emulator| &emulator.api_key);
    let arguments: Vec<_> = command.split(' ').collect();
    folder.run_with(&arguments, |program| program.env("AUTH0_SECRET", CLIENT_SECRET).env("WORKOS_KEY", key))
}
