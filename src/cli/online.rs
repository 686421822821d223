//! `tailor-idp check --online`: asks the stores of a settings file whether they work, and what they can do.

use std::error::Error;
use std::fmt::Write;

use tailor_idp::idp::directory::{Capabilities, Capability, MissingRight};
use tailor_idp::idp::remote::{Count, RemoteOptions};
use tailor_idp::idp::{CallContext, Code, IdpError, NamespaceName, Principal};
use tailor_idp::settings::{NamespaceEntry, RemoteService, Settings, StoreLocation};

use super::error::AlreadyPrinted;
use super::{output, store};

/// Checks every namespace, and prints what each can do. Fails if one of them does.
pub(super) async fn check(settings: &Settings) -> anyhow::Result<()> {
    let mut all_work = true;
    for (name, entry) in &settings.namespaces {
        match describe(name, entry).await {
            Ok(text) => output::print(&format!("\nnamespace {name} online\n{}", text.trim_end()))?,
            Err(error) => {
                all_work = false;
                let text = reason(&error, entry);
                // Some errors already say where.
                let place = format!("namespace {name}: ");
                output::note("error", &format!("{place}{}", text.strip_prefix(&place).unwrap_or(&text)));
            }
        }
    }
    if all_work { Ok(()) } else { Err(AlreadyPrinted.into()) }
}

async fn describe(name: &NamespaceName, entry: &NamespaceEntry) -> anyhow::Result<String> {
    let Some(idp) = store::open_existing(name, entry).await? else {
        return Ok("  not there yet: the first command that writes to it creates it".to_owned());
    };
    let directory = idp.directory(name.as_str())?;
    let missing = directory.check_access(&CallContext::new(name.clone(), Principal::Host)).await?;
    Ok(table(directory.capabilities(), &missing, entry))
}

/// What the namespace can do and cannot, a line each.
fn table(capabilities: &Capabilities, missing: &[MissingRight], entry: &NamespaceEntry) -> String {
    let options = match &entry.store {
        StoreLocation::Remote(remote) => Some(&remote.options),
        _ => None,
    };
    let state = |capability: Capability| {
        if !capabilities.has(capability) {
            let setting = options.and_then(|options| setting(capability, options));
            return setting.map_or_else(|| "no".to_owned(), |setting| format!("no: {setting} allows it"));
        }
        let lacking = missing.iter().filter(|right| right.capabilities.contains(&capability));
        match &*lacking.map(|missing| &*missing.right).collect::<Vec<_>>() {
            [] => "yes".to_owned(),
            rights => format!("no: the credentials lack {}", rights.join(" and ")),
        }
    };
    let width = Capability::ALL.iter().map(|capability| capability.operation().len()).max().unwrap_or_default();
    let mut text = String::new();
    for capability in Capability::ALL {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {:width$}  {}", capability.operation(), state(capability));
    }
    text
}

/// The setting that adds a capability.
fn setting(capability: Capability, options: &RemoteOptions) -> Option<&'static str> {
    match capability {
        Capability::Totals | Capability::Visibility if options.count == Count::Refuse => Some("count = \"walk\""),
        Capability::ClearPassword if !options.scramble_passwords => Some("scramble_passwords = true"),
        _ => None,
    }
}

/// The failure in one line: what, the answer of the service, what to do.
fn reason(error: &anyhow::Error, entry: &NamespaceEntry) -> String {
    let Some(error) = error.downcast_ref::<IdpError>() else { return format!("{error:#}") };
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    // An answer can be a page of HTML.
    let text = format!("{error}{source}").split_whitespace().collect::<Vec<_>>().join(" ");
    match &entry.store {
        StoreLocation::Remote(remote) => match advice(error.code(), &remote.service) {
            Some(advice) => format!("{text}: {advice}"),
            None => text,
        },
        _ => text,
    }
}

fn advice(code: Code, service: &RemoteService) -> Option<String> {
    let variable = service.secret().variable();
    match code {
        Code::Unauthenticated | Code::PermissionDenied => Some(match service {
            RemoteService::Auth0 { .. } => {
                format!("check client_id, the secret in {variable} and the scopes that the application is granted")
            }
            RemoteService::Descope { .. } => {
                format!("check project_id, the management key in {variable} and its rights in the project")
            }
            RemoteService::WorkOs { .. } => format!("check the secret key in {variable}"),
            RemoteService::Tailor { .. } => {
                format!("check client_id, the secret in {variable} and the permission of the machine user")
            }
            _ => format!("check the secret in {variable}"),
        }),
        Code::Unavailable | Code::DeadlineExceeded => {
            Some("check the address of the service and the network".to_owned())
        }
        _ => None,
    }
}
