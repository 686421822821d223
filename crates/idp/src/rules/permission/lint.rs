//! Policies that are valid and most likely not intended.

use super::config::PermissionFault;
use super::policy::{Condition, Operand};
use super::{Operation, Permission, Rules};
use crate::model::error::shortened;
use crate::model::{Field, Scalar};
use crate::rules::NameKind;

impl Permission {
    /// Literals that are compared with the name of a user, and that no name equals since they are not in normal form. The text of
    /// each says which form to write.
    pub fn unmatched_names(&self, kind: NameKind) -> Vec<PermissionFault> {
        let Rules::Policies(policies) = &self.rules else { return Vec::new() };
        let mut found = Vec::new();
        for operation in Operation::ALL {
            for (index, policy) in policies.of(operation).iter().enumerate() {
                for (position, condition) in policy.conditions.iter().enumerate() {
                    let names = names(condition).into_iter().filter_map(|name| Some((name, other_form(kind, name)?)));
                    found.extend(names.map(|(name, normal)| {
                        let (name, normal) = (shortened(name), shortened(&normal).into_owned());
                        let step = |number: usize| number.to_string();
                        PermissionFault {
                            path: vec![
                                operation.name().to_owned(),
                                step(index),
                                "conditions".to_owned(),
                                step(position),
                            ],
                            text: format!("no user is named {name:?}: names are compared in normal form, {normal:?}"),
                        }
                    }));
                }
            }
        }
        found
    }
}

/// The literals that a condition compares with the name of a user.
fn names(condition: &Condition) -> Vec<&str> {
    let is_name = |operand: &Operand| matches!(operand, Operand::User(_, Field::Name));
    let literals = match (&condition.left, &condition.right) {
        (name, other) | (other, name) if is_name(name) => other,
        _ => return Vec::new(),
    };
    let scalars = match literals {
        Operand::One(scalar) => std::slice::from_ref(scalar),
        Operand::Many(scalars) => scalars,
        Operand::Invoker(_) | Operand::User(..) => &[],
    };
    let texts = scalars.iter().filter_map(|scalar| match scalar {
        Scalar::Text(text) => Some(text.as_str()),
        Scalar::Bool(_) => None,
    });
    texts.collect()
}

/// The normal form, if it is another than the name.
fn other_form(kind: NameKind, name: &str) -> Option<String> {
    Some(kind.normalize(name)).filter(|normal| normal != name)
}
