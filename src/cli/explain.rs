//! `tailor-idp explain`: why a permission allows or denies an operation.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use tailor_idp::idp::{
    CallContext, Code, Compared, Decision, IdpError, NameKind, Operation, Permission, PermissionConfig, PolicyOutcome,
    Principal, Reason, Subject, Target,
};
use tailor_idp::settings::json_from_toml;

use super::error::UsageError;
use super::overrides::NoFlags;
use super::store::NamespaceArgs;
use super::{files, invoker, output, users};

/// Say whether a permission allows an operation, and which policy decides
///
/// Each policy for the operation is shown with its conditions, the values that they compare, and whether they hold.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp explain --operation read --user ana@example.com
  tailor-idp explain --operation delete --permission permission.toml --invoker invoker.json \\
    --user-json '{\"id\": \"1\", \"name\": \"ana@example.com\", \"disabled\": false}'

Exit codes: 0 explained, whatever the decision; 1 failed; 2 wrong use.")]
// In an error, a group names both flags.
#[command(group = clap::ArgGroup::new("about").args(["user", "user_json"]).required(true))]
pub(super) struct Explain {
    /// create, read, update, delete, sendPasswordResetEmail or unenrollMfa
    #[arg(long, value_name = "OP", value_parser = operation)]
    operation: Operation,

    /// A file with the permission, instead of that of the settings: the value of `permission`, as TOML, or as JSON if the file
    /// is named .json
    #[arg(long, value_name = "FILE")]
    permission: Option<PathBuf>,

    /// Who the function runs for: a file, or JSON [default: nobody]
    #[arg(long, value_name = "FILE|JSON")]
    invoker: Option<String>,

    /// The user whom the operation is about, by id or name: in the store of the settings, or of --db
    #[arg(long, value_name = "ID|NAME")]
    user: Option<String>,

    /// The user whom the operation is about: {"id": …, "name": …, "disabled": …}. The name is normalised, as by the call
    #[arg(long, value_name = "JSON")]
    user_json: Option<String>,

    /// For update: what changes, of name and disabled. The name is normalised, as by the call
    #[arg(long, value_name = "JSON")]
    new_user_json: Option<String>,

    /// Print JSON rather than text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    namespace: NamespaceArgs<NoFlags>,
}

const USER_JSON: &str = "--user-json";
const NEW_USER_JSON: &str = "--new-user-json";

/// A user given as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenUser {
    id: Option<String>,
    name: String,
    #[serde(default)]
    disabled: bool,
}

/// The changes of an update, given as JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenChange {
    id: Option<String>,
    name: Option<String>,
    disabled: Option<bool>,
}

/// How the names of the namespace are normalised: as the calls do.
#[derive(Clone, Copy)]
struct Names(Option<NameKind>);

impl Names {
    /// Without settings, what is an e-mail address is one.
    fn kind(self, name: &str) -> NameKind {
        let guess = || if NameKind::Email.validate(name).is_ok() { NameKind::Email } else { NameKind::Any };
        self.0.unwrap_or_else(guess)
    }

    fn normalize(self, name: &str) -> String {
        self.kind(name).normalize(name)
    }

    /// Returns the normal form of a name for a new or renamed user. For any other name, the call fails before the permission is
    /// evaluated.
    fn validate(self, origin: &str, name: &str) -> Result<String, UsageError> {
        let valid = self.kind(name).validate(name);
        valid.map_err(|error| UsageError(format!("{origin}: {}", error.detail())))
    }
}

impl Explain {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let permission = self.permission()?;
        let principal = self.principal()?;
        if self.new_user_json.is_some() && self.operation != Operation::Update {
            return Err(UsageError(format!("{NEW_USER_JSON} goes with --operation update")).into());
        }
        let names = Names(self.namespace.name_kind()?);
        let user = self.user(names, &permission, &principal).await?;
        let changed = self.changed(names, &user)?;
        let target = match self.operation {
            Operation::Update => Target::Change { old: subject(&user), new: subject(&changed) },
            // The user does not exist yet.
            Operation::Create => Target::User(Subject { id: None, ..subject(&user) }),
            _ => Target::User(subject(&user)),
        };
        let mut decisions = vec![permission.decide(self.operation, &principal, &target)];
        if self.operation == Operation::UnenrollMfa {
            decisions.push(permission.decide(Operation::Read, &principal, &target));
        }
        if self.json { output::print_json(&json(&decisions)) } else { output::print(text(&decisions).trim_end()) }
    }

    /// The permission of `--permission`, else of the settings.
    fn permission(&self) -> anyhow::Result<Permission> {
        let Some(path) = self.permission.as_deref() else { return self.namespace.permission() };
        let config = read_permission(path).map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
        config.compile().map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
            UsageError(format!("{} is no permission:{}", path.display(), faults.concat())).into()
        })
    }

    fn principal(&self) -> anyhow::Result<Principal> {
        let Some(given) = &self.invoker else { return Ok(Principal::Anonymous) };
        Ok(invoker::read(given)?.into())
    }

    async fn user(&self, names: Names, permission: &Permission, principal: &Principal) -> anyhow::Result<GivenUser> {
        let Some(user) = &self.user else {
            let given: GivenUser = parse(USER_JSON, self.user_json.as_deref().unwrap_or_default())?;
            let name = match self.operation {
                Operation::Create => names.validate(USER_JSON, &given.name)?,
                _ => names.normalize(&given.name),
            };
            return Ok(GivenUser { name, ..given });
        };
        let (name, idp) = self.namespace.open(false, None).await?;
        let host = CallContext::new(name, Principal::Host);
        let found = users::find(&idp, &host, user).await.map_err(|error| {
            let unknown = error.downcast_ref::<IdpError>().is_some_and(|error| error.code() == Code::NotFound);
            match self.operation {
                operation if unknown && operation != Operation::Create => {
                    anyhow::anyhow!("{error}: {}", refusal_of_unknown(permission, principal))
                }
                _ => error,
            }
        });
        let found = found.context("--user")?;
        Ok(GivenUser { id: Some(found.id), name: found.name, disabled: found.disabled })
    }

    fn changed(&self, names: Names, user: &GivenUser) -> Result<GivenUser, UsageError> {
        let change: GivenChange = match &self.new_user_json {
            Some(change) => parse(NEW_USER_JSON, change)?,
            None => GivenChange::default(),
        };
        if change.id.is_some() && change.id != user.id {
            return Err(UsageError(format!("{NEW_USER_JSON}: the id of a user does not change")));
        }
        let name = match change.name {
            // Another spelling of the name is no rename.
            Some(name) if names.normalize(&name) != names.normalize(&user.name) => {
                names.validate(NEW_USER_JSON, &name)?
            }
            _ => user.name.clone(),
        };
        Ok(GivenUser { id: user.id.clone(), name, disabled: change.disabled.unwrap_or(user.disabled) })
    }
}

fn operation(name: &str) -> Result<Operation, String> {
    let known = || format!("one of {}", Operation::ALL.map(Operation::name).join(", "));
    Operation::from_name(name).ok_or_else(known)
}

/// How a script's call for a user who does not exist fails.
fn refusal_of_unknown(permission: &Permission, principal: &Principal) -> String {
    let (code, may) = match permission.reads_everybody(principal) {
        true => (Code::NotFound, "may"),
        false => (Code::PermissionDenied, "may not"),
    };
    format!("a call for this user fails with {code}, since the invoker {may} read every user")
}

fn subject(user: &GivenUser) -> Subject<'_> {
    Subject { id: user.id.as_deref(), name: &user.name, disabled: user.disabled }
}

fn parse<T: serde::de::DeserializeOwned>(origin: &str, text: &str) -> Result<T, UsageError> {
    serde_json::from_str(text).map_err(|error| UsageError(format!("{origin}: {error}")))
}

/// Reads a permission from a file: the whole document, or its key `permission`.
fn read_permission(path: &Path) -> anyhow::Result<PermissionConfig> {
    let text = files::read_text(path)?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let mut value: Value = if is_json { serde_json::from_str(&text)? } else { json_from_toml(&text)? };
    if let Some(inner) = value.get_mut("permission") {
        value = inner.take();
    }
    Ok(serde_json::from_value(value)?)
}

/// Text form: the decision, then each policy.
fn text(decisions: &[Decision]) -> String {
    let texts: Vec<_> = decisions.iter().map(decision_text).collect();
    let all = match decisions {
        [first, .., last] => {
            let verdict = verdict(decisions.iter().all(|decision| decision.allowed));
            let (operation, other) = (first.operation.name(), last.operation.name());
            format!("{operation}: {verdict}; it needs both {operation} and {other}\n\n")
        }
        _ => String::new(),
    };
    all + &texts.join("\n")
}

fn verdict(allowed: bool) -> &'static str {
    if allowed { "allowed" } else { "denied" }
}

fn decision_text(decision: &Decision) -> String {
    let mut text = format!("{}: {}, {}\n", decision.operation.name(), verdict(decision.allowed), reason(decision));
    for policy in &decision.policies {
        text.push_str(&format!("\n  {}\n", policy_text(policy)));
        for condition in &policy.conditions {
            let mark = if condition.held { "holds" } else { "fails" };
            let (left, right) = (&condition.left, &condition.right);
            text.push_str(&format!(
                "    {mark}: {} {} {}\n",
                operand_text(&left.operand),
                condition.operator.spelling(),
                operand_text(&right.operand)
            ));
            for side in [left, right] {
                if let Some(value) = value_text(side) {
                    text.push_str(&format!("           {} {value}\n", operand_text(&side.operand)));
                }
            }
        }
    }
    text
}

fn reason(decision: &Decision) -> String {
    match decision.reason {
        Reason::Host => "for the host is not bound by permission".to_owned(),
        Reason::AllowAll => r#"for the permission is "allow-all""#.to_owned(),
        Reason::Policy(index) => {
            let described = description_suffix(decision.policy().and_then(|policy| policy.description.as_deref()));
            format!("by policy {}[{index}]{described}", decision.operation.name())
        }
        Reason::NoPolicy if decision.policies.is_empty() => {
            format!("for there is no policy for {}", decision.operation.name())
        }
        Reason::NoPolicy => "for no policy matches".to_owned(),
    }
}

fn description_suffix(description: Option<&str>) -> String {
    description.map(|text| format!(" ({text})")).unwrap_or_default()
}

fn policy_text(policy: &PolicyOutcome) -> String {
    let effect = match (policy.matched, policy.permits) {
        (true, true) => "matches, and permits",
        (true, false) => "matches, and denies",
        (false, true) => "would permit, but does not match",
        (false, false) => "would deny, but does not match",
    };
    let always = if policy.conditions.is_empty() { ", for it has no conditions" } else { "" };
    format!("[{}]{} {effect}{always}", policy.index, description_suffix(policy.description.as_deref()))
}

/// Returns `user.id` for `{ "user": "id" }`, and literals unchanged.
fn operand_text(operand: &Value) -> String {
    let named = operand.as_object().and_then(|operand| operand.iter().next());
    match named.and_then(|(kind, key)| Some((kind, key.as_str()?))) {
        Some((kind, key)) => format!("{kind}.{key}"),
        None => operand.to_string(),
    }
}

fn value_text(side: &Compared) -> Option<String> {
    let literal = !side.operand.is_object();
    match (&side.value, side.equals_nothing) {
        (Some(_), None) if literal => None,
        (Some(value), None) => Some(format!("is {value}")),
        (Some(value), Some(why)) => Some(format!("is {value}, which {why}: it equals nothing")),
        (None, why) => Some(format!("{}: it equals nothing", why.unwrap_or("is missing"))),
    }
}

fn json(decisions: &[Decision]) -> Value {
    json!({
        "allowed": decisions.iter().all(|decision| decision.allowed),
        "decisions": decisions.iter().map(decision_json).collect::<Vec<_>>(),
    })
}

fn decision_json(decision: &Decision) -> Value {
    let (reason, policy) = match decision.reason {
        Reason::Host => ("host", None),
        Reason::AllowAll => ("allow-all", None),
        Reason::Policy(index) => ("policy", Some(index)),
        Reason::NoPolicy => ("no-policy", None),
    };
    json!({
        "operation": decision.operation.name(),
        "allowed": decision.allowed,
        "reason": reason,
        "policy": policy,
        "policies": decision.policies.iter().map(policy_json).collect::<Vec<_>>(),
    })
}

fn policy_json(policy: &PolicyOutcome) -> Value {
    let side =
        |side: &Compared| json!({ "operand": side.operand, "value": side.value, "equalsNothing": side.equals_nothing });
    let conditions = policy.conditions.iter().map(|condition| {
        let (left, right) = (side(&condition.left), side(&condition.right));
        json!({ "left": left, "operator": condition.operator.spelling(), "right": right, "held": condition.held })
    });
    json!({
        "index": policy.index,
        "description": policy.description,
        "permit": policy.permits,
        "matched": policy.matched,
        "conditions": conditions.collect::<Vec<_>>(),
    })
}
