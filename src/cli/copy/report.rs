//! What became of the users.

use serde_json::{Map, Value, json};

use super::super::output;

/// The maximum number of names to print of each kind: JSON has all of them.
const MAX_PRINTED: usize = 20;

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The user is at the other namespace now.
    There {
        since: Since,
        password: PasswordState,
        /// Whether MFA factors of the user were not copied.
        lacks_factors: bool,
    },
    /// The other namespace cannot have the user.
    Skipped(String),
    /// The user was not copied.
    Failed(String),
}

/// Since when a user is at the other namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Copied now.
    Now,
    /// A user with the name was there, in the same state.
    Before,
    /// A user with the name was there, in another state.
    BeforeDiffering(&'static str),
}

/// What is known of the password of a user at the other namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordState {
    /// Its hash was copied.
    Copied,
    /// The user was there before, with a password.
    Kept,
    /// There is none where the user comes from.
    None,
    /// The other side does not take the hash.
    NotTaken,
    /// The side that is copied from does not give it out.
    Unknown,
    /// The user was there before, without a password.
    Missing,
    /// The user was there before, and the other side does not tell whether with a password.
    NotTold,
}

impl PasswordState {
    const ALL: [Self; 7] =
        [Self::Copied, Self::Kept, Self::None, Self::NotTaken, Self::Unknown, Self::Missing, Self::NotTold];

    /// The key in JSON.
    const fn key(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Kept => "kept",
            Self::None => "none",
            Self::NotTaken => "notTaken",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::NotTold => "notTold",
        }
    }

    /// Why a new password has to be set, if so.
    fn why_needed(self, from: &str, to: &str) -> Option<String> {
        match self {
            Self::NotTaken => Some(format!("{to} does not take the hash")),
            Self::Unknown => Some(format!("{from} gives out no hashes")),
            Self::Missing => Some("there before, without a password".to_owned()),
            Self::Copied | Self::Kept | Self::None | Self::NotTold => None,
        }
    }

    /// The text that follows the number of users.
    fn text(self, from: &str, to: &str) -> String {
        match self {
            Self::Copied => "with the password hash".to_owned(),
            Self::Kept => "there before, with a password".to_owned(),
            Self::None => "without a password, as before".to_owned(),
            Self::NotTold => format!("there before: {to} does not tell whether with a password"),
            Self::NotTaken | Self::Unknown | Self::Missing => {
                format!(
                    "without a password, so a new one has to be set: {}",
                    self.why_needed(from, to).unwrap_or_default()
                )
            }
        }
    }
}

/// What a namespace cannot have of the users of another.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The properties that users lose.
    pub(super) properties: Vec<String>,
    /// The users who are skipped.
    pub(super) users: Vec<&'static str>,
}

/// What became of all users.
pub(super) struct Report {
    from: String,
    to: String,
    dry_run: bool,
    losses: Losses,
    copied: u64,
    already_there: u64,
    differing: Vec<(String, &'static str)>,
    skipped: Vec<(String, String)>,
    failed: Vec<(String, String)>,
    /// Users by the state of the password, in the order of [`PasswordState::ALL`].
    passwords: [u64; PasswordState::ALL.len()],
    /// Users who need a new password, and why.
    needing_password: Vec<(String, String)>,
    with_factors: u64,
}

impl Report {
    /// A report without users. `from` and `to` name the backends.
    pub(super) fn new(from: String, to: String, losses: Losses, dry_run: bool) -> Self {
        Self {
            from,
            to,
            dry_run,
            losses,
            copied: 0,
            already_there: 0,
            differing: Vec::new(),
            skipped: Vec::new(),
            failed: Vec::new(),
            passwords: [0; PasswordState::ALL.len()],
            needing_password: Vec::new(),
            with_factors: 0,
        }
    }

    pub(super) fn add(&mut self, name: String, outcome: Outcome) {
        match outcome {
            Outcome::There { since, password, lacks_factors } => {
                self.with_factors += u64::from(lacks_factors);
                for (state, count) in PasswordState::ALL.iter().zip(&mut self.passwords) {
                    *count += u64::from(*state == password);
                }
                if let Some(reason) = password.why_needed(&self.from, &self.to) {
                    self.needing_password.push((name.clone(), reason));
                }
                match since {
                    Since::Now => self.copied += 1,
                    Since::Before => self.already_there += 1,
                    Since::BeforeDiffering(difference) => self.differing.push((name, difference)),
                }
            }
            Outcome::Skipped(reason) => self.skipped.push((name, reason)),
            Outcome::Failed(reason) => self.failed.push((name, reason)),
        }
    }

    /// Prints what users lose, and who is skipped. Before the first write.
    pub(super) fn print_losses(&self) {
        let Self { to, losses: Losses { properties, users }, .. } = self;
        if !properties.is_empty() {
            output::note("note", &format!("not copied to {to}: {}", properties.join(", ")));
        }
        if !users.is_empty() {
            output::note("note", &format!("skipped, because {to} cannot have them: {}", users.join(", ")));
        }
    }

    pub(super) fn has_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    /// How far a copy came that has ended early.
    pub(super) fn progress(&self) -> String {
        let Self { copied, dry_run, .. } = self;
        match dry_run {
            true => "nothing was copied, as --dry-run asks for".to_owned(),
            false => format!("{} copied; the same copy again adds the rest", counted(*copied, "was", "were")),
        }
    }

    /// Prints the first users who were not copied, who differ, and who need a new password.
    pub(super) fn print_users(&self) {
        print_some("failed", &self.failed);
        print_some("skipped", &self.skipped);
        print_some("differs", &self.differing);
        print_some("new password", &self.needing_password);
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        self.print_users();
        if json { output::print_json(&self.json()) } else { output::print(&self.text()) }
    }

    fn json(&self) -> Value {
        // Exhaustive: the compiler points here when a field is added.
        let Self {
            from: _,
            to: _,
            dry_run,
            losses: Losses { properties, users },
            copied,
            already_there,
            differing,
            skipped,
            failed,
            passwords,
            needing_password,
            with_factors,
        } = self;
        let passwords = PasswordState::ALL.iter().zip(passwords);
        let passwords: Map<_, _> = passwords.map(|(state, count)| (state.key().to_owned(), (*count).into())).collect();
        json!({
            "dryRun": dry_run,
            "notCopied": properties,
            "skippedKinds": users,
            "copied": copied,
            "alreadyThere": already_there,
            "differing": named(differing, "difference"),
            "skipped": named(skipped, "reason"),
            "failed": named(failed, "reason"),
            "passwords": passwords,
            "needNewPassword": named(needing_password, "reason"),
            "withMfaFactors": with_factors,
        })
    }

    fn text(&self) -> String {
        let Self { from, to, dry_run, copied, already_there, differing, skipped, failed, passwords, .. } = self;
        let verb = if *dry_run { "would copy" } else { "copied" };
        let users = if *copied == 1 { "user" } else { "users" };
        let [differing, skipped, failed] = [differing.len(), skipped.len(), failed.len()];
        let mut lines = vec![format!(
            "{verb} {copied} {users}; {already_there} already there, {differing} there and differing, {skipped} skipped, \
             {failed} failed"
        )];
        let passwords = PasswordState::ALL.iter().zip(passwords);
        let mut facts: Vec<_> = passwords.map(|(state, count)| (*count, state.text(from, to))).collect();
        let factors = "with MFA factors, which are not copied: they have to be enrolled anew".to_owned();
        facts.push((self.with_factors, factors));
        lines
            .extend(facts.into_iter().filter(|(count, _)| *count > 0).map(|(count, fact)| format!("  {count} {fact}")));
        lines.join("\n")
    }
}

/// Users with a text each, as JSON.
fn named(users: &[(String, impl AsRef<str>)], key: &str) -> Vec<Value> {
    users.iter().map(|(name, text)| json!({ "name": name, key: text.as_ref() })).collect()
}

fn print_some(kind: &str, users: &[(String, impl AsRef<str>)]) {
    for (name, text) in users.iter().take(MAX_PRINTED) {
        output::note(kind, &format!("{name}: {}", text.as_ref()));
    }
    let more = users.len().saturating_sub(MAX_PRINTED);
    if more > 0 {
        output::note(kind, &format!("… and {more} more: --json lists all"));
    }
}

fn counted(users: u64, one: &str, many: &str) -> String {
    if users == 1 { format!("1 user {one}") } else { format!("{users} users {many}") }
}
