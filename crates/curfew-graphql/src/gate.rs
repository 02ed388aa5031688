//! What is checked of a document before it runs: acts, depth, cost, aliases, method.
//!
//! Not here: validation against the schema (async-graphql) and rights (the use cases).
//! Invariant: a document that passes has at most one acting root field, however it is written: by aliases, by
//! fragments, behind directives.

mod nesting;
mod spread;

use std::collections::HashMap;

use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::{ConstValue, Value};
use serde_json::Map;

use crate::{ErrorCode, Via};

pub use nesting::check_nesting;
pub use spread::DEEPEST as DEEPEST_SPREAD;

/// How much a document may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep fields may nest, introspection apart.
    pub depth: u32,
    /// How deep introspection may nest; the standard query is about 14 deep.
    pub introspection_depth: u32,
    /// How many fields may be answered, where a page counts as many as it may hold.
    pub complexity: u64,
    /// How many aliases may stand in it.
    pub aliases: u64,
    /// Rows of a page that does not say how many.
    pub page_default: u32,
    /// Most rows of a page.
    pub page_max: u32,
    /// How long a document without an act may take.
    pub query_seconds: u64,
    /// Whether the schema may be asked for.
    pub introspection: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 10,
            introspection_depth: 20,
            complexity: 50_000,
            aliases: 30,
            page_default: 50,
            page_max: 1000,
            query_seconds: 10,
            introspection: true,
        }
    }
}

/// Why a document is not run.
#[derive(Debug)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// What happened, and what to do.
    pub message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What the gate found in a document that may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Whether it acts.
    pub acts: bool,
}

/// Checks a document that parsed.
pub fn check(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    variables: &Map<String, serde_json::Value>,
    via: Via,
    limits: &Limits,
) -> Result<Pass, Refusal> {
    let Some(operation) = select(document, operation_name) else {
        let message = match operation_name {
            Some(name) => format!("The document has no operation `{name}`. Nothing was run."),
            None => "The document has several operations. Nothing was run. Say which by `operationName`."
                .to_owned(),
        };
        return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, message));
    };
    spread::check_spread(document)?;
    match operation.ty {
        OperationType::Query => {}
        OperationType::Subscription => {
            let message = "Subscriptions are not served here. Nothing was run.";
            return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, message));
        }
        OperationType::Mutation if via == Via::Get => {
            let message = "Mutations are not taken by GET. Nothing was done. Send it by POST.";
            return Err(Refusal::new(ErrorCode::MethodNotAllowed, message));
        }
        OperationType::Mutation => {}
    }
    check_variables(operation, variables)?;
    let mut weigher = Weigher {
        fragments: &document.fragments,
        operation,
        variables,
        known: HashMap::new(),
        open: Vec::new(),
        page: limits.page_default.into(),
        most: limits.page_max.into(),
    };
    let weight = weigher.weigh(&operation.selection_set.node, limits.page_default.into(), false);
    let acting = operation.ty == OperationType::Mutation;
    if acting && weight.roots > 1 {
        let message = format!(
            "The document has {} acts; one request does at most one. Nothing was done. Send one request for each.",
            weight.roots
        );
        return Err(Refusal::new(ErrorCode::TooManyActs, message));
    }
    let too_much = |what: &str, has: u64, limit: u64| {
        let message = format!("The document has {what} {has}, at most {limit} is allowed. Nothing was run.");
        Err(Refusal::new(ErrorCode::QueryTooComplex, message))
    };
    if weight.depth > u64::from(limits.depth) {
        return too_much("a depth of", weight.depth, u64::from(limits.depth));
    }
    if weight.introspection_depth > u64::from(limits.introspection_depth) {
        return too_much(
            "an introspection depth of",
            weight.introspection_depth,
            limits.introspection_depth.into(),
        );
    }
    if weight.cost > limits.complexity {
        return too_much("a complexity of", weight.cost, limits.complexity);
    }
    if weight.aliases > limits.aliases {
        return too_much("aliases, in number", weight.aliases, limits.aliases);
    }
    if weight.introspection_depth > 0 && !limits.introspection {
        let message = "The schema may not be asked for here. Nothing was run.";
        return Err(Refusal::new(ErrorCode::IntrospectionDisabled, message));
    }
    Ok(Pass {
        acts: acting && weight.roots == 1,
    })
}

/// Refuses variables that cannot be coerced and that async-graphql finds out about only while it runs the field that
/// uses them: required ones that are missing, and integers that are no `Int`.
fn check_variables(
    operation: &OperationDefinition,
    variables: &Map<String, serde_json::Value>,
) -> Result<(), Refusal> {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let name = definition.name.node.as_str();
        let (ty, given) = (&definition.var_type.node, variables.get(name));
        let problem = match given {
            None if !ty.nullable && definition.default_value.is_none() => "is required and was not given",
            Some(serde_json::Value::Number(number))
                if matches!(&ty.base, BaseType::Named(base) if base == "Int")
                    && number
                        .as_i64()
                        .is_none_or(|number| i32::try_from(number).is_err()) =>
            {
                "is not an integer of 32 bits"
            }
            _ => continue,
        };
        let message = format!("The variable `${name}` {problem}. Nothing was run.");
        return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, message));
    }
    Ok(())
}

/// Gives variables that are missing their defaults. The executor does that for arguments, but decides `@skip` and
/// `@include` without; so without this a field that the gate takes for skipped would run.
pub fn fill_in_defaults(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    variables: &mut async_graphql::Variables,
) {
    let Some(operation) = select(document, operation_name) else {
        return;
    };
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        if let Some(default) = &definition.default_value {
            let missing = variables.entry(definition.name.node.clone());
            missing.or_insert_with(|| default.node.clone());
        }
    }
}

fn select<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(operations), None) => match operations.len() {
            1 => operations.values().next().map(|operation| &operation.node),
            _ => None,
        },
    }
}

/// What a selection asks for, fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// Fields directly in it, `__typename` apart.
    roots: u64,
    depth: u64,
    introspection_depth: u64,
    cost: u64,
    aliases: u64,
}

impl Weight {
    fn beside(self, other: Self) -> Self {
        Self {
            roots: self.roots.saturating_add(other.roots),
            depth: self.depth.max(other.depth),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            cost: self.cost.saturating_add(other.cost),
            aliases: self.aliases.saturating_add(other.aliases),
        }
    }
}

struct Weigher<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    operation: &'a OperationDefinition,
    variables: &'a Map<String, serde_json::Value>,
    /// Fragments already weighed: without this, fragments that use each other twice would take for ever.
    known: HashMap<(&'a str, u64, bool), Weight>,
    open: Vec<&'a str>,
    /// Rows of a page that does not say how many.
    page: u64,
    /// Most rows of a page.
    most: u64,
}

impl<'a> Weigher<'a> {
    fn weigh(&mut self, set: &'a SelectionSet, page: u64, schema: bool) -> Weight {
        set.items.iter().fold(Weight::default(), |sum, item| {
            let weight = match &item.node {
                Selection::Field(field) if self.included(&field.node.directives) => {
                    self.weigh_field(&field.node, page, schema)
                }
                Selection::InlineFragment(inline) if self.included(&inline.node.directives) => {
                    self.weigh(&inline.node.selection_set.node, page, schema)
                }
                Selection::FragmentSpread(spread) if self.included(&spread.node.directives) => {
                    self.weigh_fragment(&spread.node.fragment_name.node, page, schema)
                }
                _ => Weight::default(),
            };
            sum.beside(weight)
        })
    }

    fn weigh_field(&mut self, field: &'a Field, page: u64, schema: bool) -> Weight {
        let name = field.name.node.as_str();
        if name == "__typename" {
            return Weight {
                cost: 1,
                aliases: u64::from(field.alias.is_some()),
                ..Weight::default()
            };
        }
        let schema = schema || name == "__schema" || name == "__type";
        let own = self.page_size(field).unwrap_or(page);
        let below = self.weigh(&field.selection_set.node, own, schema);
        // `nodes` and `edges` are answered once for each row of the page above them.
        let times = if matches!(name, "nodes" | "edges") && !schema {
            page
        } else {
            1
        };
        Weight {
            roots: 1,
            depth: if schema { 0 } else { below.depth + 1 },
            introspection_depth: if schema {
                below.introspection_depth + 1
            } else {
                below.introspection_depth
            },
            cost: if schema {
                0
            } else {
                below.cost.saturating_mul(times).saturating_add(1)
            },
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
        }
    }

    fn weigh_fragment(&mut self, name: &'a Name, page: u64, schema: bool) -> Weight {
        let key = (name.as_str(), page, schema);
        if let Some(weight) = self.known.get(&key) {
            return *weight;
        }
        let Some(fragment) = self.fragments.get(name) else {
            return Weight::default();
        };
        if self.open.contains(&name.as_str()) {
            // A circle; validation refuses it.
            return Weight::default();
        }
        self.open.push(name.as_str());
        let weight = self.weigh(&fragment.node.selection_set.node, page, schema);
        self.open.pop();
        self.known.insert(key, weight);
        weight
    }

    /// `first` or `last`; `None` for fields that have neither.
    fn page_size(&self, field: &Field) -> Option<u64> {
        let size = |name: &str| {
            let value = field.get_argument(name)?;
            match self.constant(&value.node)? {
                // A larger page is refused by its resolver, which can say what is wrong with it.
                ConstValue::Number(number) => Some(number.as_u64().unwrap_or(0).min(self.most)),
                _ => None,
            }
        };
        let paged = ["first", "last", "after", "before"]
            .iter()
            .any(|name| field.get_argument(name).is_some());
        size("first")
            .or_else(|| size("last"))
            .or_else(|| paged.then_some(self.page))
    }

    /// `@skip` and `@include`, as they will be decided; what cannot be decided counts as included.
    fn included(&self, directives: &[Positioned<async_graphql::parser::types::Directive>]) -> bool {
        directives.iter().all(|directive| {
            let wanted = match directive.node.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => return true,
            };
            match directive
                .node
                .get_argument("if")
                .and_then(|value| self.constant(&value.node))
            {
                Some(ConstValue::Boolean(given)) => given == wanted,
                _ => true,
            }
        })
    }

    fn constant(&self, value: &Value) -> Option<ConstValue> {
        value
            .clone()
            .into_const_with(|name| {
                let given = self.variables.get(name.as_str()).cloned();
                let given = given.and_then(|value| ConstValue::from_json(value).ok());
                let default = || {
                    let definitions = &self.operation.variable_definitions;
                    let definition = definitions
                        .iter()
                        .find(|definition| definition.node.name.node == name)?;
                    definition
                        .node
                        .default_value
                        .as_ref()
                        .map(|value| value.node.clone())
                };
                given.or_else(default).ok_or(())
            })
            .ok()
    }
}

#[cfg(test)]
mod tests;
