//! The policies for `read` as a predicate: conditions on the invoker are evaluated, conditions on users are kept for the query.

use super::policy::{Condition, Operand, Policy, Question};
use crate::model::{Predicate, Principal};

/// The users whom the policies let the principal read.
pub(super) fn visible(policies: &[Policy], principal: &Principal) -> Predicate {
    let matched =
        |permits: bool| {
            Predicate::any(policies.iter().filter(|policy| policy.permits == permits).map(|policy| {
                Predicate::all(policy.conditions.iter().map(|condition| predicate(condition, principal)))
            }))
        };
    Predicate::all([matched(true), matched(false).negate()])
}

fn predicate(condition: &Condition, principal: &Principal) -> Predicate {
    // Without a target, only operands about the invoker have a value.
    let known = Question { principal, target: None };
    let Condition { left, operator, right } = condition;
    let found = match (left, right) {
        (Operand::User(_, left), Operand::User(_, right)) if !operator.takes_list() => Predicate::same(*left, *right),
        (Operand::User(_, field), list) if operator.takes_list() => {
            Predicate::one_of(*field, list.value(known).scalars())
        }
        (Operand::User(_, field), other) | (other, Operand::User(_, field)) if !operator.takes_list() => {
            Predicate::one_of(*field, other.value(known).scalar())
        }
        _ if condition.holds(known) => return Predicate::everybody(),
        _ => return Predicate::nobody(),
    };
    if operator.is_negated() { found.negate() } else { found }
}
