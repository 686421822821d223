//! TLS, and what a dump of a database contains.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::{PostgresDatabase, PostgresOptions, Store, StoreError};

use super::server::{Server, give_to_user};
use super::{place, require_postgres, server, users};
use crate::support::{add_factor, enqueue, everyone, insert, namespace, payloads};

/// A certificate for `localhost` and 127.0.0.1, its key, and the authority that has signed it.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/integration/fetch/tls");
/// A certificate of another authority.
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/mail/certificate.pem");

/// A server that takes connections over TLS only.
fn start_with_tls() -> Server {
    let folder = super::server::folder();
    let place = |name: &str| {
        let path = folder.path().join(name);
        std::fs::copy(Path::new(CERTIFICATES).join(name), &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        give_to_user(&path);
        path.display().to_string()
    };
    let settings = [
        "ssl = on".to_owned(),
        format!("ssl_cert_file = '{}'", place("certificate.pem")),
        format!("ssl_key_file = '{}'", place("key.pem")),
    ];
    let server = Server::start_with(&settings.each_ref().map(String::as_str));
    let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    std::fs::write(server.folder().join("data/pg_hba.conf"), rules).unwrap();
    server.run_client("psql", &["--quiet", "--command=SELECT pg_reload_conf()"]);
    // Read when the server started.
    drop(folder);
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_verifies_the_certificate_and_the_name_of_the_server() {
    require_postgres!();
    let server = tokio::task::spawn_blocking(start_with_tls).await.unwrap();
    let port = server.port();
    let url = |host: &str, rest: &str| format!("postgres://postgres@{host}:{port}/postgres?hostaddr=127.0.0.1&{rest}");
    let trusted = format!("sslmode=verify-full&sslrootcert={CERTIFICATES}/authority.pem");
    let open = async |url: &str| PostgresDatabase::open(PostgresOptions::new(url).unwrap()).await;

    let database = open(&url("localhost", &trusted)).await.unwrap();
    let store = users(&database).await;
    insert(&store, "ana").await;
    let client = server.client().await;
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE ssl AND application_name = 'tailor-idp'";
    let encrypted: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(encrypted > 0, "no connection is encrypted");
    // Notifications and cancel requests use TLS, too.
    let _commits = store.commits();
    let started = Instant::now();
    while !store.hears_other_processes() {
        assert!(started.elapsed().as_secs() < 30, "not told of commits");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    let other_authority = format!("sslmode=verify-full&sslrootcert={OTHER}");
    for (url, reason) in [
        (url("wrong.example", &trusted), "not valid for name"),
        (url("localhost", &other_authority), "invalid peer certificate"),
        (url("localhost", "sslmode=verify-full"), "invalid peer certificate"),
        (url("localhost", "sslmode=disable"), "no encryption"),
    ] {
        let error = open(&url).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{url}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dump_restores_everything_into_another_database() {
    require_postgres!();
    let place = place().await;
    let database = place.open().await.unwrap();
    let store = users(&database).await;
    let ana = insert(&store, "ana").await;
    add_factor(&store, &ana.id).await;
    enqueue(&store, &ana.id, "mail").await;
    let server = server().await;
    let restored = format!("restored_{}", place.schema);
    let (schema, database_argument) = (format!("--schema={}", place.schema), format!("--dbname={restored}"));
    let file = server.folder().join(format!("{restored}.dump"));
    let file_argument = format!("--file={}", file.display());
    tokio::task::block_in_place(|| {
        server.run_client("pg_dump", &["--format=custom", &schema, &file_argument, "postgres"]);
        server.run_client("createdb", &[&restored]);
        server.run_client("pg_restore", &["--exit-on-error", &database_argument, &file.display().to_string()]);
    });
    let options = PostgresOptions::new(&server.url(&restored)).unwrap().schema(&place.schema).unwrap();
    let copy = PostgresDatabase::open(options).await.unwrap();
    let copied_store = copy.namespace(&namespace("users")).await.unwrap();
    assert_eq!(copied_store.seal_key(), store.seal_key(), "page tokens stay valid");
    let copied = users(&copy).await;
    assert_eq!(everyone(&copied).await, everyone(&store).await);
    assert_eq!(payloads(&copied).await, ["mail"]);
    let bo = insert(&copied, "bo").await;
    assert!(bo.id > ana.id, "ids go on in order");
    let taken = crate::support::create(&copied, crate::support::user("ana")).await;
    assert_eq!(taken.map_err(|error| matches!(error, StoreError::NameTaken)), Err(true));
}
