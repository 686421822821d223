//! What became of the users.

use serde_json::{Value, json};

use super::super::output;

/// The maximum number of names to print of each kind: JSON has all of them.
const MAX_PRINTED: usize = 20;

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The user is at the other namespace now.
    Copied { password: PasswordState, has_factors: bool },
    /// A user with the name was there, in the same state.
    AlreadyThere,
    /// A user with the name was there, in another state.
    Differing(&'static str),
    /// The user was not copied.
    Failed(String),
}

/// What became of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordState {
    /// Its hash was copied.
    Copied,
    /// There is none.
    None,
    /// The other side does not take the hash.
    NotTaken,
    /// The side that is copied from does not give it out.
    Unknown,
}

/// What became of all users.
pub(super) struct Report {
    from: String,
    to: String,
    dry_run: bool,
    copied: u64,
    already_there: u64,
    differing: Vec<(String, &'static str)>,
    failed: Vec<(String, String)>,
    /// Users by the state of the password, in the order of [`STATES`].
    passwords: [u64; STATES.len()],
    with_factors: u64,
}

const STATES: [PasswordState; 4] =
    [PasswordState::Copied, PasswordState::None, PasswordState::NotTaken, PasswordState::Unknown];

impl Report {
    /// A report without users. `from` and `to` name the backends.
    pub(super) fn new(from: String, to: String, dry_run: bool) -> Self {
        let (differing, failed) = (Vec::new(), Vec::new());
        let passwords = [0; STATES.len()];
        Self { from, to, dry_run, copied: 0, already_there: 0, differing, failed, passwords, with_factors: 0 }
    }

    pub(super) fn add(&mut self, name: String, outcome: Outcome) {
        match outcome {
            Outcome::Copied { password, has_factors } => {
                self.copied += 1;
                self.with_factors += u64::from(has_factors);
                for (state, count) in STATES.iter().zip(&mut self.passwords) {
                    *count += u64::from(*state == password);
                }
            }
            Outcome::AlreadyThere => self.already_there += 1,
            Outcome::Differing(difference) => self.differing.push((name, difference)),
            Outcome::Failed(reason) => self.failed.push((name, reason)),
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

    /// Prints the first users who were not copied, and those who differ.
    pub(super) fn print_failures(&self) {
        print_some("failed", self.failed.iter().map(|(name, reason)| (&**name, &**reason)));
        print_some("differs", self.differing.iter().map(|(name, difference)| (&**name, *difference)));
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        self.print_failures();
        if json { output::print_json(&self.json()) } else { output::print(&self.text()) }
    }

    fn json(&self) -> Value {
        // Exhaustive: the compiler points here when a field is added.
        let Self { from: _, to: _, dry_run, copied, already_there, differing, failed, passwords, with_factors } = self;
        let [carried, none, not_taken, unknown] = passwords;
        let differing: Vec<_> =
            differing.iter().map(|(name, difference)| json!({ "name": name, "difference": difference })).collect();
        let failed: Vec<_> = failed.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
        json!({
            "dryRun": dry_run,
            "copied": copied,
            "alreadyThere": already_there,
            "differing": differing,
            "failed": failed,
            "passwords": { "copied": carried, "none": none, "notTaken": not_taken, "unknown": unknown },
            "withMfaFactors": with_factors,
        })
    }

    fn text(&self) -> String {
        let Self { from, to, dry_run, copied, already_there, differing, failed, passwords, with_factors } = self;
        let verb = if *dry_run { "would copy" } else { "copied" };
        let users = if *copied == 1 { "user" } else { "users" };
        let (differing, failed) = (differing.len(), failed.len());
        let mut lines = vec![format!(
            "{verb} {copied} {users}; {already_there} already there, {differing} there and differing, {failed} failed"
        )];
        let [carried, none, not_taken, unknown] = *passwords;
        let facts = [
            (carried, "with the password hash".to_owned()),
            (none, "without a password, as before".to_owned()),
            (not_taken, format!("without the password: {to} does not take the hash, so a new one has to be set")),
            (unknown, format!("without a password: {from} gives out none, so a new one has to be set")),
            (*with_factors, "with MFA factors, which are not copied: they have to be enrolled anew".to_owned()),
        ];
        lines
            .extend(facts.into_iter().filter(|(count, _)| *count > 0).map(|(count, fact)| format!("  {count} {fact}")));
        lines.join("\n")
    }
}

fn print_some<'a>(kind: &str, entries: impl ExactSizeIterator<Item = (&'a str, &'a str)>) {
    let more = entries.len().saturating_sub(MAX_PRINTED);
    for (name, text) in entries.take(MAX_PRINTED) {
        output::note(kind, &format!("{name}: {text}"));
    }
    if more > 0 {
        output::note(kind, &format!("… and {more} more: --json lists all"));
    }
}

fn counted(users: u64, one: &str, many: &str) -> String {
    if users == 1 { format!("1 user {one}") } else { format!("{users} users {many}") }
}
