//! `tailor-idp check --online`: asks the stores of a settings file whether they work, and what they can do.

use std::error::Error;
use std::fmt::Write;

use tailor_idp::idp::directory::{Access, Capabilities, Capability};
use tailor_idp::idp::{CallContext, IdpError, NamespaceName, Principal};
use tailor_idp::settings::{NamespaceEntry, Settings};

use super::error::AlreadyPrinted;
use super::{output, store};

/// Checks every namespace, and prints what each can do. Fails if one of them does.
pub(super) async fn check(settings: &Settings) -> anyhow::Result<()> {
    let mut all_work = true;
    for (name, entry) in &settings.namespaces {
        let text = match describe(name, entry).await {
            Ok(text) => text,
            Err(error) => {
                all_work = false;
                let text = reason(&error);
                // Some errors already say where.
                let place = format!("namespace {name}: ");
                let text = text.strip_prefix(&place).unwrap_or(&text);
                output::note("error", &format!("{place}{text}"));
                format!("  does not work: {text}")
            }
        };
        output::print(&format!("\nnamespace {name} online\n{}", text.trim_end()))?;
    }
    if all_work { Ok(()) } else { Err(AlreadyPrinted.into()) }
}

async fn describe(name: &NamespaceName, entry: &NamespaceEntry) -> anyhow::Result<String> {
    let Some(idp) = store::open_existing(name, entry).await? else {
        return Ok("  not there yet: the first command that writes to it creates it".to_owned());
    };
    let directory = idp.directory(name.as_str())?;
    let access = directory.check_access(&CallContext::new(name.clone(), Principal::Host)).await?;
    Ok(table(directory.capabilities(), &access))
}

/// What the namespace can do and cannot, a line each.
fn table(capabilities: &Capabilities, access: &Access) -> String {
    let state = |capability: Capability| {
        if !capabilities.has(capability) {
            let setting = capabilities.setting(capability);
            return setting.map_or_else(|| "no".to_owned(), |setting| format!("no: {setting} allows it"));
        }
        let lacking = access.missing.iter().filter(|right| right.capabilities.contains(&capability));
        match &*lacking.map(|missing| &*missing.right).collect::<Vec<_>>() {
            [] if access.untold.contains(&capability) => {
                format!("unknown: {} does not tell the rights of the credentials", capabilities.backend())
            }
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

/// The failure in one line: what, the answer of the service, what to do.
fn reason(error: &anyhow::Error) -> String {
    let Some(error) = error.downcast_ref::<IdpError>() else { return format!("{error:#}") };
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    // An answer can be a page of HTML.
    format!("{error}{source}").split_whitespace().collect::<Vec<_>>().join(" ")
}
