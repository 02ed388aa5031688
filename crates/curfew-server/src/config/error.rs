//! What is wrong with a configuration: where, what, and what to do.
//!
//! Not for other failures at start. Invariant: no text of a value stands in a problem, because it may be a secret.

use std::fmt;

use figment::error::{Actual, Kind};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, `server.tls.cert`, or the variable that sets it; empty if it is the whole file.
    pub key: String,
    /// What is wrong, and what to do.
    pub what: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, or what else it was read from.
    pub source_name: String,
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// A single problem.
    pub fn one(source_name: &str, key: &str, what: impl Into<String>) -> Self {
        Self {
            source_name: source_name.to_owned(),
            problems: vec![Problem {
                key: key.to_owned(),
                what: what.into(),
            }],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration ({}) cannot be used", self.source_name)?;
        for Problem { key, what } in &self.problems {
            match key.as_str() {
                "" => write!(f, "\n  {what}")?,
                key => write!(f, "\n  {key}: {what}")?,
            }
        }
        Ok(())
    }
}

/// A problem out of what serde found below `prefix`.
pub(super) fn problem(prefix: &str, error: &figment::Error) -> Problem {
    let mut path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    if !prefix.is_empty() {
        path.insert(0, prefix);
    }
    let what = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(&name.as_str()) {
                path.push(name);
            }
            format!("there is no such key{}", instead(name, known))
        }
        Kind::UnknownVariant(name, known) => format!("`{name}` is not known{}", instead(name, known)),
        Kind::MissingField(name) => {
            if path.last() != Some(&name.as_ref()) {
                path.push(name);
            }
            "is missing".to_owned()
        }
        Kind::DuplicateField(name) => format!("`{name}` is there twice"),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("must be {}, but is {}", plainly(expected), kind_of(found))
        }
        Kind::InvalidLength(found, expected) => format!("must be {expected}, but has {found} items"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
        Kind::Unsupported(found) | Kind::UnsupportedKey(found, _) => {
            format!("{} is not possible here", kind_of(found))
        }
        Kind::Message(text) => text.clone(),
    };
    Problem {
        key: path.join("."),
        what,
    }
}

/// What it is, without its text.
fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

/// What serde expects, in the words of this page.
fn plainly(expected: &str) -> &str {
    match expected {
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}

fn instead(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|it| (distance(name, it), it))
        .filter(|(distance, it)| *distance <= (it.len() / 3).max(1))
        .min();
    match near {
        Some((_, near)) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; known are {}", known.join(", ")),
    }
}

/// How many characters to change, add or drop (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
