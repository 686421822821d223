//! Length of the values of enums, before oxc computes them.
//!
//! A member can be the concatenation of others: 26 members of a few bytes each are a value of a gigabyte.

use std::collections::HashMap;

use oxc_ast::ast::{
    IdentifierReference, NumericLiteral, Program, StaticMemberExpression, StringLiteral, TSEnumMember, TemplateElement,
};
use oxc_ast_visit::Visit;

/// Longest text of a number.
const NUMBER_LEN: usize = 25;

/// Upper bound of the total length of the values of all enums, in bytes. Enums are not told apart: of members with the same name,
/// the longest counts.
pub(super) fn max_values_len(program: &Program<'_>) -> usize {
    let mut lengths = EnumLengths::default();
    lengths.visit_program(program);
    lengths.total
}

#[derive(Default)]
struct EnumLengths<'a> {
    /// Of the members so far, by name.
    members: HashMap<&'a str, usize>,
    total: usize,
    /// Of the initializer that is visited.
    current: usize,
}

impl<'a> EnumLengths<'a> {
    fn add(&mut self, len: usize) {
        self.current = self.current.saturating_add(len);
    }

    /// Adds a part of an initializer that can name a member.
    fn add_name(&mut self, name: &str) {
        self.add(self.members.get(name).copied().unwrap_or_default());
    }
}

impl<'a> Visit<'a> for EnumLengths<'a> {
    fn visit_ts_enum_member(&mut self, member: &TSEnumMember<'a>) {
        let outer = std::mem::take(&mut self.current);
        if let Some(initializer) = &member.initializer {
            self.visit_expression(initializer);
        }
        let len = std::mem::replace(&mut self.current, outer).max(NUMBER_LEN);
        self.total = self.total.saturating_add(len);
        let longest = self.members.entry(member.id.static_name().as_str()).or_default();
        *longest = len.max(*longest);
    }

    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        self.add_name(reference.name.as_str());
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        self.add_name(member.property.name.as_str());
        self.visit_expression(&member.object);
    }

    fn visit_string_literal(&mut self, literal: &StringLiteral<'a>) {
        self.add(literal.value.len());
        self.add_name(literal.value.as_str());
    }

    fn visit_template_element(&mut self, element: &TemplateElement<'a>) {
        self.add(element.value.raw.len());
        self.add_name(element.value.raw.as_str());
    }

    fn visit_numeric_literal(&mut self, _literal: &NumericLiteral<'a>) {
        self.add(NUMBER_LEN);
    }
}
