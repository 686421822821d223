//! `tailor-idp users copy`: copies the users of one namespace to another.

mod report;
mod target;

use clap::Args;
use indicatif::ProgressBar;
use tailor_idp::idp::directory::Capability;
use tailor_idp::idp::{CallContext, Code, IdentityProvider, ListUsers, NamespaceName, Principal, Router};

use self::report::{Losses, Report};
use self::target::Target;
use super::error::{AlreadyPrinted, Interrupted};
use super::overrides::ChangeFlags;
use super::store::NamespaceArgs;
use super::user_pages::{Patience, Stopped, UserPages};
use super::{output, progress, signal};

/// Copy all users of one namespace to another
///
/// Between any two stores of the settings: databases, and services such as Auth0. A user is known by the name, which the rules of
/// the namespace --to apply to. Users who are already there are not changed; the report says who is disabled on one side only,
/// and who needs a new password, also when the copy is repeated.
///
/// Copied are the name, whether the user is disabled, and the password hash where both sides can: databases give out and take
/// every hash; WorkOS and Descope take bcrypt and Argon2id hashes; the other services take none. The time of creation is copied
/// into databases only. Ids and MFA factors are not copied: everybody gets a new id. Whom the other side cannot have is skipped,
/// with a reason: WorkOS has no disabled users, and no names that are no e-mail addresses. What the other side cannot have is
/// printed before anything is written.
///
/// After an interruption or a failure, run the same copy again: it adds the rest. A copy goes at the rate of the service: what that
/// refuses for now is repeated, unless nothing succeeds for two minutes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp users copy --from customers --to staff --dry-run
  tailor-idp users copy --from customers --to staff
  tailor-idp users copy --from old-idp --to new-idp --db users.db --no-config

Exit codes: 0 everybody whom the other namespace can have is there; 1 some users could not be copied, or a store failed;
2 wrong use; 130 interrupted.")]
pub(super) struct Copy {
    /// The namespace whose users are copied
    #[arg(long, value_name = "NAME")]
    from: NamespaceName,

    /// The namespace that gets them
    #[arg(long, value_name = "NAME")]
    to: NamespaceName,

    /// Only report what would be copied
    #[arg(long)]
    dry_run: bool,
}

impl Copy {
    pub(super) async fn execute(self, namespaces: &NamespaceArgs<ChangeFlags>, json: bool) -> anyhow::Result<()> {
        let Self { from, to, dry_run } = self;
        let idp = namespaces.open_pair(&from, &to, !dry_run).await?;
        let stop = signal::stopped()?;
        let [from, to] = [from, to].map(|name| CallContext::new(name, Principal::Host));
        let total = total(&idp, &from).await?;
        let bar = progress::bar(total, "copying");
        let mut patience = Patience::new(stop, bar.clone());
        // Before anything is written: wrong credentials of one side are no reason to begin.
        for context in [&from, &to] {
            let directory = idp.directory(context.namespace.as_str())?;
            let checked = patience.attempt_below_rate(async || directory.check_access(context).await).await;
            checked.map_err(|stopped| unusable(stopped, context))?;
        }
        let losses = losses(&idp, &from, &to)?;
        let mut report = Report::new(backend(&idp, &from)?, backend(&idp, &to)?, losses, dry_run);
        bar.suspend(|| report.print_losses());
        let ended = async {
            let target = Target::open(&idp, [&from, &to], dry_run, total, &mut patience).await?;
            copy(&idp, &from, target, patience, &bar, &mut report).await
        };
        let ended = ended.await;
        bar.finish_and_clear();
        match ended {
            Ok(()) => {
                report.print(json)?;
                if report.has_failures() { Err(AlreadyPrinted.into()) } else { Ok(()) }
            }
            Err(Stopped::Interrupted) => {
                report.print_users();
                output::note("interrupted", &report.progress());
                Err(Interrupted.into())
            }
            Err(Stopped::Failed(error)) => {
                report.print_users();
                Err(anyhow::Error::from(error).context(report.progress()))
            }
        }
    }
}

fn unusable(stopped: Stopped, context: &CallContext) -> anyhow::Error {
    match stopped {
        Stopped::Interrupted => Interrupted.into(),
        Stopped::Failed(error) => anyhow::Error::from(error).context(format!("namespace {}", context.namespace)),
    }
}

fn backend(idp: &Router, context: &CallContext) -> anyhow::Result<String> {
    Ok(idp.directory(context.namespace.as_str())?.capabilities().backend().to_owned())
}

/// What the namespace `to` cannot have of the users of the other one.
fn losses(idp: &Router, from: &CallContext, to: &CallContext) -> anyhow::Result<Losses> {
    let [has_hashes, takes_all] = [from, to].map(|context| idp.local(context.namespace.as_str()).is_ok());
    let target = idp.directory(to.namespace.as_str())?;
    let mut losses = Losses { properties: vec!["ids".to_owned(), "MFA factors".to_owned()], users: Vec::new() };
    if !takes_all {
        losses.properties.push("times of creation".to_owned());
    }
    if !has_hashes {
        losses.properties.push(format!("passwords ({} gives out no hashes)", backend(idp, from)?));
    } else if target.settings().user_auth_policy.disable_password_auth || (!takes_all && target.hash_kinds().is_empty())
    {
        losses.properties.push("password hashes".to_owned());
    } else if !takes_all {
        losses.properties.push(format!("password hashes other than {}", target.hash_kinds()));
    }
    if !target.capabilities().has(Capability::Disable) {
        losses.users.push("disabled users");
    }
    // The rules of the namespace take the name.
    if target.check_new_user("name", false).is_err_and(|error| error.code() == Code::Unimplemented) {
        losses.users.push("users whose name is no e-mail address");
    }
    Ok(losses)
}

/// The number of users, for the progress bar. `None` where counting takes long.
async fn total(idp: &Router, context: &CallContext) -> anyhow::Result<Option<u64>> {
    if idp.local(context.namespace.as_str()).is_err() {
        return Ok(None);
    }
    let first = ListUsers { first: Some(1), ..ListUsers::default() };
    Ok(Some(idp.users(context, first).await?.total_count))
}

async fn copy(
    idp: &Router,
    from: &CallContext,
    mut target: Target,
    mut patience: Patience,
    bar: &ProgressBar,
    report: &mut Report,
) -> Result<(), Stopped> {
    let mut pages = UserPages::new(idp, from);
    while let Some(users) = pages.next(true, &mut patience).await? {
        target.copy(users, &patience, bar, report).await?;
    }
    Ok(())
}
