//! `tailor-idp users`: reads and changes users.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tailor_idp::idp::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, ListUsers, Password, Principal, Router, User, UserKey,
    UserPage, UserQuery,
};

use super::copy::Copy;
use super::enrollment::EnrollMfa;
use super::error::UsageError;
use super::export::Export;
use super::import::Import;
use super::overrides::ChangeFlags;
use super::store::NamespaceArgs;
use super::{enrollment, output};

/// List, create, import, export, copy and delete users without a script
///
/// The rules for scripts apply, except the permission. Users are given by id or by name.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp users list --db users.db
  tailor-idp users get ana@example.com --db users.db --json
  tailor-idp users create ana@example.com --db users.db --password-stdin < password.txt
  tailor-idp users import users.jsonl --db users.db
  tailor-idp users export users.jsonl --db users.db
  tailor-idp users copy --from customers --to staff --dry-run")]
pub(super) struct Users {
    #[command(subcommand)]
    command: UsersCommand,

    /// Print JSON rather than a table
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    namespace: NamespaceArgs<ChangeFlags>,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// List users by page, oldest first
    List {
        /// Number of users per page: 1 to 1000
        #[arg(long, default_value_t = 100, value_name = "N")]
        first: i64,
        /// Continue after the page that printed this token
        #[arg(long, value_name = "TOKEN")]
        after: Option<String>,
        /// Only the user with this name; can be given several times
        #[arg(long, value_name = "NAME")]
        name: Vec<String>,
    },
    /// Show one user
    Get {
        /// The id or the name
        user: String,
    },
    /// Create a user
    Create {
        /// The name: an e-mail address, unless the namespace takes any text
        name: String,
        /// Read the password from stdin: all of it, without the line break at the end
        #[arg(long)]
        password_stdin: bool,
        /// Create the user disabled
        #[arg(long)]
        disabled: bool,
    },
    Import(Import),
    Export(Export),
    Copy(Copy),
    /// Delete a user
    Delete {
        /// The id or the name
        user: String,
    },
    /// Enrol an MFA factor and confirm it at once, for tests of scripts; needs enableMfa in the settings, or --enable-mfa if there are none
    ///
    /// Prints the factor's id; with --json, also its secret and the URI for an authenticator app.
    EnrollMfa(EnrollMfa),
}

impl Users {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        if let UsersCommand::Copy(copy) = self.command {
            return copy.execute(&self.namespace, self.json).await;
        }
        let create = matches!(self.command, UsersCommand::Create { .. } | UsersCommand::Import(_));
        let mfa_key = match &self.command {
            UsersCommand::EnrollMfa(enroll) => Some(enroll.key(|| self.namespace.mfa_key())?),
            _ => None,
        };
        let (namespace, idp) = self.namespace.open(create, mfa_key).await?;
        let host = CallContext::new(namespace, Principal::Host);
        let is_service = idp.local(host.namespace.as_str()).is_err();
        let executed = self.command.execute(&idp, &host, self.json).await;
        executed.map_err(|error| match is_service && error.is::<IdpError>() {
            // Which of the services of the settings it is.
            true => error.context(format!("namespace {}", host.namespace)),
            false => error,
        })
    }
}

impl UsersCommand {
    async fn execute(self, idp: &Router, host: &CallContext, json: bool) -> anyhow::Result<()> {
        match self {
            Self::List { first, after, name } => {
                let names = (!name.is_empty()).then_some(name);
                let query = UserQuery { ids: None, names };
                let page = idp.users(host, ListUsers { first: Some(first), after, query }).await?;
                if json { output::print_json(&page_json(&page)) } else { print_page(&page) }
            }
            Self::Get { user } => print_user(&find(idp, host, &user).await?, json),
            Self::Create { name, password_stdin, disabled } => {
                let password = if password_stdin { Some(read_password()?) } else { None };
                print_user(&idp.create_user(host, CreateUser { name, password, disabled }).await?, json)
            }
            Self::Import(import) => import.execute(idp, host.namespace.as_str(), json).await,
            // Opens two namespaces: see above.
            Self::Copy(_) => Ok(()),
            Self::Export(export) => export.execute(idp, host, json).await,
            Self::Delete { user } => {
                let user = find(idp, host, &user).await?;
                idp.delete_user(host, &user.id).await?;
                if json {
                    print_user(&user, json)
                } else {
                    output::print(&format!("deleted {} ({})", user.name, user.id))
                }
            }
            Self::EnrollMfa(EnrollMfa { user, .. }) => {
                enrollment::enroll(idp, host.namespace.as_str(), &find(idp, host, &user).await?, json).await
            }
        }
    }
}

/// Finds a user by id, else by name.
pub(super) async fn find(idp: &Router, context: &CallContext, user: &str) -> anyhow::Result<User> {
    match idp.user(context, UserKey::Id(user)).await {
        Err(error) if error.code() == Code::NotFound => Ok(idp.user(context, UserKey::Name(user)).await?),
        found => Ok(found?),
    }
}

/// Initial capacity in bytes. Fits every valid password: a growing buffer would leave copies of it in memory.
const PASSWORD_CAPACITY: usize = 64 * 1024;

fn read_password() -> anyhow::Result<Password> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(UsageError(
            "--password-stdin reads from a file or a pipe, so that no password shows on a screen".into(),
        )
        .into());
    }
    let mut text = zeroize::Zeroizing::new(String::with_capacity(PASSWORD_CAPACITY));
    stdin.read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

fn print_user(user: &User, json: bool) -> anyhow::Result<()> {
    if json { output::print_json(&user_json(user)) } else { output::print(&table(std::slice::from_ref(user))) }
}

fn print_page(page: &UserPage) -> anyhow::Result<()> {
    let (shown, total) = (page.users.len(), page.total_count);
    if shown > 0 {
        output::print(&table(&page.users))?;
    }
    let users = if total == 1 { "user" } else { "users" };
    output::print(&match &page.next_page_token {
        None if shown as u64 == total => format!("{total} {users}"),
        None => format!("{shown} of {total} {users}, to the end"),
        Some(token) => format!("{shown} of {total} {users}; go on with --after {token}"),
    })
}

fn table(users: &[User]) -> String {
    let mut table = output::table();
    table.set_header(["ID", "NAME", "CREATED", "STATE"]);
    for user in users {
        let created = user.created_at.map(|moment| moment.to_string()).unwrap_or_default();
        let mut state = vec![if user.disabled { "disabled" } else { "enabled" }.to_owned()];
        match user.mfa_factor_ids.len() {
            0 => {}
            factors => state.push(format!("MFA ({factors})")),
        }
        table.add_row([user.id.clone(), user.name.clone(), created, state.join(", ")]);
    }
    table.trim_fmt()
}

fn page_json(page: &UserPage) -> Value {
    json!({
        "users": page.users.iter().map(user_json).collect::<Vec<_>>(),
        "nextPageToken": page.next_page_token,
        "totalCount": page.total_count,
    })
}

/// The user as scripts see it.
fn user_json(user: &User) -> Value {
    // Exhaustive: the compiler points here when a field is added.
    let User { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids } = user;
    json!({
        "id": id,
        "name": name,
        "disabled": disabled,
        "createdAt": created_at.map(|moment| moment.to_string()),
        "mfaEnrolled": mfa_enrolled,
        "mfaFactorIds": mfa_factor_ids,
    })
}
