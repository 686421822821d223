//! The table of capabilities in docs/providers.md, made from what the directories declare.
//!
//! `UPDATE_EXPECTED=1 cargo test -p tailor-idp-core --test core capabilities_table` writes it anew.

use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use tailor_idp_core::Router;
use tailor_idp_core::directory::{Capabilities, Capability, Directory};
use tailor_idp_core::remote::{Auth0, Count, Descope, InvalidRemote, RemoteOptions, Tailor, WorkOs};
use tailor_idp_core::store::SqliteDatabase;

use super::peer::{namespace, permissive};

const BEGIN: &str = "<!-- capabilities: written by a test -->\n\n";
const END: &str = "\n<!-- end of capabilities -->";

fn page() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = package.ancestors().map(|folder| folder.join("docs/providers.md"));
    pages.find(|page| page.is_file()).expect("docs/providers.md of the workspace")
}

fn service(name: &str, options: RemoteOptions) -> Result<Capabilities, InvalidRemote> {
    Ok(match name {
        "Auth0" => {
            let auth0 = Auth0::builder("acme.eu.auth0.com", "id", "secret", "users").options(options).build()?;
            Directory::capabilities(&auth0).clone()
        }
        "Descope" => {
            let descope = Descope::builder("P2aAc4T2V93bddihGEx2Ryhc8e5Z", "key").options(options).build()?;
            Directory::capabilities(&descope).clone()
        }
        "WorkOS" => Directory::capabilities(&WorkOs::builder("key").options(options).build()?).clone(),
        _ => {
            let tailor = Tailor::builder("https://app.example.com", "id", "secret", "main").options(options).build()?;
            Directory::capabilities(&tailor).clone()
        }
    })
}

/// Whether a service has a capability: always, with an option, or never.
fn cell(name: &str, capability: Capability) -> &'static str {
    let has = |change: fn(&mut RemoteOptions)| {
        let mut options = RemoteOptions::default();
        change(&mut options);
        service(name, options).unwrap().has(capability)
    };
    if has(|_| {}) {
        "yes"
    } else if has(|options| options.scramble_passwords = true) {
        "with `scramble_passwords`"
    } else if has(|options| options.count = Count::Walk) {
        "with `count = \"walk\"`"
    } else {
        "no"
    }
}

async fn table() -> String {
    let store = SqliteDatabase::in_memory().unwrap().namespace(&namespace()).await.unwrap();
    let store = Router::builder().namespace(namespace(), std::sync::Arc::new(store), permissive()).build();
    let store = store.directory("staff").unwrap().capabilities().clone();
    let services = ["Auth0", "Descope", "WorkOS", "Tailor Platform"];
    let mut text =
        format!("| | memory, SQLite | {} |\n| --- |{}\n", services.join(" | "), " --- |".repeat(services.len() + 1));
    for capability in Capability::ALL {
        let cells = services.map(|name| cell(name, capability));
        let of_store = if store.has(capability) { "yes" } else { "no" };
        text.push_str(&format!("| {} | {of_store} | {} |\n", capability.operation(), cells.join(" | ")));
    }
    text
}

#[tokio::test]
async fn capabilities_table_of_the_page_has_what_the_directories_declare() {
    let page = page();
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the table");
    let (written, after) = rest.split_once(END).expect("the end of the table");
    let table = table().await;
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value != "0") {
        std::fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, table, "UPDATE_EXPECTED=1 writes the table of docs/providers.md anew");
}
