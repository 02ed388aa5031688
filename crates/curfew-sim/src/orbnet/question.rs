//! Reads a GraphQL request: which of the two documented operations it is, with which arguments.
//!
//! Not the answer, and no general GraphQL server: one root field, no fragments, no directives. What is read is
//! checked as a server checks it: names, types of variables and their values, the 32 bits of an `Int`.
//! Invariant: a request that is not exactly right is a [`Problem`], never a guess.

use async_graphql_parser::parse_query;
use async_graphql_parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::reply::Problem;

/// The fields of a row that can be asked for.
pub(crate) const COLUMNS: [&str; 9] = [
    "id",
    "sessionId",
    "nasIpAddress",
    "nasPortId",
    "nasPortType",
    "startTime",
    "connectInfoStart",
    "callingStationId",
    "framedIpAddress",
];

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// `getOnlineSessions(userId:)`.
    List {
        user: i32,
        /// Name in the answer, field.
        columns: Vec<(String, &'static str)>,
    },
    /// `disconnectBySessionId(onlineSessionId:)`.
    Disconnect { session: String },
}

/// A question with the name of its field in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    operation_name: Option<String>,
}

/// Reads the body of a request.
pub(crate) fn read(body: &[u8]) -> Result<Asked, Problem> {
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|_| Problem::bad("BAD_REQUEST", "The body is no GraphQL request in JSON"))?;
    let document = parse_query(&envelope.query)
        .map_err(|error| Problem::bad("GRAPHQL_PARSE_FAILED", error.to_string()))?;
    let operation = operation(&document, envelope.operation_name.as_deref())?;
    let field = only_field(&operation.selection_set.node)?;
    let arguments = Arguments {
        operation,
        field,
        variables: envelope.variables.unwrap_or_default(),
    };
    let question = match (operation.ty, field.name.node.as_str()) {
        (OperationType::Query, "getOnlineSessions") => Question::List {
            user: arguments.int("userId")?,
            columns: columns(&field.selection_set.node)?,
        },
        (OperationType::Mutation, "disconnectBySessionId") => {
            if !field.selection_set.node.items.is_empty() {
                return Err(invalid("a Boolean has no fields"));
            }
            Question::Disconnect {
                session: arguments.string("onlineSessionId")?,
            }
        }
        (kind, name) => {
            return Err(invalid(format!(
                "Cannot query field \"{name}\" on type \"{kind}\""
            )));
        }
    };
    Ok(Asked {
        question,
        key: field.response_key().node.to_string(),
    })
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::bad("GRAPHQL_VALIDATION_FAILED", message)
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Problem> {
    if !document.fragments.is_empty() {
        return Err(invalid("fragments are not simulated"));
    }
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => None,
    };
    found
        .map(|operation| &operation.node)
        .ok_or_else(|| invalid("there is no such operation"))
}

fn field(selection: &Selection) -> Result<&Field, Problem> {
    match selection {
        Selection::Field(field) if field.node.directives.is_empty() => Ok(&field.node),
        _ => Err(invalid("fragments and directives are not simulated")),
    }
}

fn only_field(selection: &SelectionSet) -> Result<&Field, Problem> {
    match &*selection.items {
        [one] => field(&one.node),
        _ => Err(invalid("one root field at a time is simulated")),
    }
}

fn columns(selection: &SelectionSet) -> Result<Vec<(String, &'static str)>, Problem> {
    if selection.items.is_empty() {
        return Err(invalid("getOnlineSessions must have a selection of subfields"));
    }
    let column = |selection: &Selection| {
        let field = field(selection)?;
        let name = field.name.node.as_str();
        let known = COLUMNS.iter().find(|column| **column == name);
        match known {
            Some(column) if field.arguments.is_empty() && field.selection_set.node.items.is_empty() => {
                Ok((field.response_key().node.to_string(), *column))
            }
            _ => Err(invalid(format!(
                "Cannot query field \"{name}\" on type \"OnlineSession\""
            ))),
        }
    };
    selection.items.iter().map(|item| column(&item.node)).collect()
}

/// The one argument of the root field, and where its value comes from.
struct Arguments<'a> {
    operation: &'a OperationDefinition,
    field: &'a Field,
    variables: Map<String, Value>,
}

impl Arguments<'_> {
    fn int(&self, name: &str) -> Result<i32, Problem> {
        let value = self.value(name, "Int!")?;
        value
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| Problem::bad("BAD_USER_INPUT", format!("Int cannot represent {value}")))
    }

    fn string(&self, name: &str) -> Result<String, Problem> {
        match self.value(name, "String!")? {
            Value::String(text) => Ok(text),
            value => Err(Problem::bad(
                "BAD_USER_INPUT",
                format!("String cannot represent {value}"),
            )),
        }
    }

    /// The value of the argument: written out, or that of a variable which must be declared as `of`.
    fn value(&self, name: &str, of: &str) -> Result<Value, Problem> {
        let [(given, value)] = &*self.field.arguments else {
            return Err(invalid(format!(
                "the argument \"{name}\" is needed, and no other"
            )));
        };
        if given.node != name {
            return Err(invalid(format!("Unknown argument \"{}\"", given.node)));
        }
        let async_graphql_value::Value::Variable(variable) = &value.node else {
            return value
                .node
                .clone()
                .into_const()
                .and_then(|value| value.into_json().ok())
                .ok_or_else(|| invalid("the argument is no plain value"));
        };
        let declared = self
            .operation
            .variable_definitions
            .iter()
            .find(|definition| definition.node.name.node == *variable)
            .ok_or_else(|| invalid(format!("Variable \"${variable}\" is not defined")))?;
        let declared = declared.node.var_type.node.to_string();
        if declared != of {
            return Err(invalid(format!(
                "Variable \"${variable}\" of type \"{declared}\" used in position expecting type \"{of}\""
            )));
        }
        match self.variables.get(variable.as_str()) {
            None | Some(Value::Null) => Err(Problem::bad(
                "BAD_USER_INPUT",
                format!("Variable \"${variable}\" of required type \"{of}\" was not provided"),
            )),
            Some(value) => Ok(value.clone()),
        }
    }
}
