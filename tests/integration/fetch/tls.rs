//! Private certificate authorities. The server's certificate is signed by the one in `tls/authority.pem`.

use std::fs::write;
use std::sync::Arc;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::CertificateAuthorities;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Server, run, settings};
use crate::support::{End, program};

const AUTHORITY: &str = include_str!("tls/authority.pem");
const AUTHORITY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/fetch/tls/authority.pem");
/// Of another authority: self-signed.
const OTHER: &str = include_str!("../../mail/certificate.pem");

async fn server() -> Server {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Server::start_tls(config).await
}

fn authorities(pem: &str) -> CertificateAuthorities {
    CertificateAuthorities::from_pem(pem.as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn private_authority_is_trusted_only_where_the_host_names_it() {
    let server = server().await;
    let body = "return await attempt(() => text(`https://api.example:${port}/`));";
    let settings = settings(&["api.example"]);
    let untrusted = json!(
        "TypeError: fetch failed (Error: invalid peer certificate: UnknownIssuer (function.fetch.ca in the settings, or --fetch-ca))"
    );
    assert_eq!(run(&server, settings.clone(), body).await, untrusted);
    assert_eq!(run(&server, settings.clone().trust(&authorities(OTHER)), body).await, untrusted);
    let both = format!("{OTHER}{AUTHORITY}");
    assert_eq!(run(&server, settings.clone().trust(&authorities(&both)), body).await, json!("200 hello"));
    let one_by_one = settings.clone().trust(&authorities(AUTHORITY)).trust(&authorities(OTHER));
    assert_eq!(run(&server, one_by_one, body).await, json!("200 hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn program_trusts_authorities_of_settings_and_flag_but_not_of_the_environment() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let open = "[namespace.main]\nstore = \"memory\"\npermission = \"allow-all\"\n";
    let script = "export default async ({ url }) => (await fetch(url)).status;";
    write(folder.path().join("main.js"), script).unwrap();
    write(folder.path().join("authority.pem"), AUTHORITY).unwrap();
    write(folder.path().join("open.toml"), open).unwrap();
    write(folder.path().join("trusting.toml"), format!("{open}[function.fetch]\nca = \"authority.pem\"\n")).unwrap();
    let argument = json!({ "url": format!("https://localhost:{}/", server.port()) }).to_string();
    let fetch = |config: &str, more: &[&str]| {
        let mut program = program();
        program.current_dir(folder.path()).args(["run", "main.js", "--allow-fetch", "localhost", "--arg", &argument]);
        program.args(["--config", config]).args(more);
        // OpenSSL and other clients read these.
        program.env("SSL_CERT_FILE", AUTHORITY_FILE).env("NODE_EXTRA_CA_CERTS", AUTHORITY_FILE);
        let end = End::of(&mut program);
        (end.code, end.stdout + end.stderr.lines().next().unwrap_or_default())
    };
    let fetched = (Some(0), "200\n".to_owned());
    assert_eq!(fetch("open.toml", &[]), (Some(1), "TypeError: fetch failed".to_owned()));
    assert_eq!(fetch("trusting.toml", &[]), fetched);
    assert_eq!(fetch("open.toml", &["--fetch-ca", AUTHORITY_FILE]), fetched);
    assert_eq!(
        fetch("open.toml", &["--fetch-ca", "missing.pem"]),
        (Some(2), "error: cannot read --fetch-ca missing.pem: No such file or directory (os error 2)".to_owned())
    );
    assert_eq!(
        fetch("open.toml", &["--fetch-ca", "main.js"]),
        (
            Some(2),
            "error: --fetch-ca main.js contains no certificate in PEM form, which starts with \
             -----BEGIN CERTIFICATE-----"
                .to_owned()
        )
    );
}
