//! From texts to a [`Config`]: TOML, then variables over it, then serde, then `check`.
//!
//! Not here: what values mean. Invariant: nothing is bound, connected or written here.

use std::collections::BTreeSet;
use std::path::Path;

use curfew_backends::BackendConfig;
use curfew_core::BackendId;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::check::check;
use super::error::problem;
use super::raw::{RawConfig, SECTIONS};
use super::surroundings::{Machine, Secrets, Surroundings};
use super::{Config, ConfigError, Problem};

/// What the variables begin with.
const PREFIX: &str = "CURFEW__";
/// What stands between section and key.
const SEPARATOR: &str = "__";

/// Reads the file at `path` and the process environment.
///
/// # Errors
/// A [`ConfigError`] with everything that is wrong.
pub fn load_file(path: &Path) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::one(&name, "", format!("the file cannot be read ({error})")))?;
    load(&name, &text, &Machine::beside(path))
}

/// Reads a TOML text called `source`, with the variables of `surroundings` over it, and checks everything.
///
/// # Errors
/// A [`ConfigError`] with everything that is wrong.
pub fn load(source: &str, text: &str, surroundings: &dyn Surroundings) -> Result<Config, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error| syntax(source, text, &error))?;
    let variables = Variables::of(surroundings);
    let set_by: Vec<(String, String)> = variables.paths();
    let failed = |mut problems: Vec<Problem>| {
        for problem in &mut problems {
            // Say which variable it is, if it is one.
            let variable = set_by
                .iter()
                .find(|(path, _)| problem.key == *path || problem.key.starts_with(&format!("{path}.")));
            if let Some((_, name)) = variable {
                problem.key = format!("{} (set by {name})", problem.key);
            }
        }
        ConfigError {
            source_name: source.to_owned(),
            problems,
        }
    };

    let merged: Result<Dict, _> = Figment::from(Serialized::defaults(table))
        .merge(variables)
        .extract();
    let mut merged = merged.map_err(|error| failed(problems("", error)))?;
    let mut found = Vec::new();
    let backends = backends(merged.remove("backends"), surroundings, &mut found);
    let raw = sections(merged, &mut found);
    let config = check(source, raw, backends, surroundings, &mut found);
    if found.is_empty() {
        Ok(config)
    } else {
        Err(failed(found))
    }
}

/// Each section for itself, so that a problem in one does not hide those of another; a section with a problem is left
/// as if it were not there.
fn sections(mut merged: Dict, found: &mut Vec<Problem>) -> RawConfig {
    let mut raw = RawConfig::default();
    let mut read = |name: &str, into: &mut dyn FnMut(&Value) -> Result<(), figment::Error>| {
        let Some(value) = merged.remove(name) else { return };
        if let Err(error) = into(&value) {
            found.extend(problems(name, error));
        }
    };
    read("server", &mut |value| {
        value.deserialize().map(|it| raw.server = it)
    });
    read("database", &mut |value| {
        value.deserialize().map(|it| raw.database = it)
    });
    read("auth", &mut |value| value.deserialize().map(|it| raw.auth = it));
    read("data", &mut |value| value.deserialize().map(|it| raw.data = it));
    read("operations", &mut |value| {
        value.deserialize().map(|it| raw.operations = it)
    });
    for name in merged.keys() {
        let error = Kind::UnknownField(name.clone(), SECTIONS).into();
        found.push(problem("", &error));
    }
    raw
}

/// What `[[backends]]` holds.
#[derive(Default)]
pub(super) struct Backends {
    /// Those that can be used.
    pub usable: Vec<BackendConfig>,
    /// All that are there, also those with a problem: whoever names one of them is not wrong.
    pub named: BTreeSet<BackendId>,
}

fn backends(value: Option<Value>, surroundings: &dyn Surroundings, found: &mut Vec<Problem>) -> Backends {
    let mut backends = Backends::default();
    let entries = match value {
        None => return backends,
        Some(Value::Array(_, entries)) => entries,
        Some(_) => {
            found.push(Problem {
                key: "backends".to_owned(),
                what: "must be a list of tables: write [[backends]]".to_owned(),
            });
            return backends;
        }
    };
    for (at, entry) in entries.iter().enumerate() {
        // By its id, as its owner knows it, else by its number.
        let id = entry.find_ref("id").and_then(Value::as_str);
        let key = id.map_or_else(|| format!("backends.{}", at + 1), |id| format!("backends.{id}"));
        if let Some(id) = id.and_then(|it| BackendId::parse(it).ok())
            && !backends.named.insert(id)
        {
            found.push(Problem {
                key,
                what: "there are two backends with this `id`: each needs its own".to_owned(),
            });
            continue;
        }
        let backend: BackendConfig = match entry.deserialize() {
            Ok(backend) => backend,
            Err(error) => {
                let error = with_path(entry, error);
                found.extend(problems(&key, error));
                continue;
            }
        };
        match backend.resolved(&Secrets(surroundings)) {
            Ok(backend) => backends.usable.push(backend),
            Err(error) => found.push(Problem {
                key,
                what: with_sources(&error),
            }),
        }
    }
    backends
}

/// Says which key of a backend it is. serde reads a variant by its `kind` out of a copy, and loses the path: so it
/// is the key without which the error is another one.
fn with_path(entry: &Value, error: figment::Error) -> figment::Error {
    let named = matches!(error.kind, Kind::UnknownField(..) | Kind::MissingField(_));
    let Value::Dict(tag, keys) = entry else {
        return error;
    };
    if named || !error.path.is_empty() {
        return error;
    }
    // Without its `kind` it is no backend at all, which says nothing.
    let culprit = keys.keys().filter(|key| *key != "kind").find(|key| {
        let mut others = keys.clone();
        others.remove(*key);
        let read: Result<BackendConfig, _> = Value::Dict(*tag, others).deserialize();
        read.err().is_none_or(|it| it.kind != error.kind)
    });
    match culprit {
        Some(key) => error.with_path(key),
        None => error,
    }
}

fn problems(prefix: &str, errors: figment::Error) -> Vec<Problem> {
    errors.into_iter().map(|it| problem(prefix, &it)).collect()
}

/// An error and its sources in one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(source) => format!("{error}: {}", with_sources(source)),
    }
}

/// Where TOML is broken, without the line itself, which may hold a secret.
fn syntax(source: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().map(|span| &text[..span.start.min(text.len())]);
    let place = before.map_or_else(String::new, |before| {
        format!("line {}: ", before.matches('\n').count() + 1)
    });
    let what = error.message().lines().next().unwrap_or("not TOML").to_owned();
    ConfigError::one(source, "", format!("{place}not TOML ({what})"))
}

/// `CURFEW__SERVER__LISTEN` and the like, as figment merges them.
struct Variables(Vec<(String, String)>);

impl Variables {
    fn of(surroundings: &dyn Surroundings) -> Self {
        let mut names = surroundings.names();
        names.retain(|it| it.starts_with(PREFIX) && it.len() > PREFIX.len());
        names.sort();
        let value = |name: String| surroundings.variable(&name).map(|value| (name, value));
        Self(names.into_iter().filter_map(value).collect())
    }

    /// The key path of each variable beside its name.
    fn paths(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .map(|(name, _)| (path(name), name.clone()))
            .collect()
    }
}

fn path(name: &str) -> String {
    name[PREFIX.len()..].to_ascii_lowercase().replace(SEPARATOR, ".")
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut figment = Figment::new();
        for (name, text) in &self.0 {
            // Numbers, truth values, lists and tables as figment's own `Env` reads them; anything else is text.
            let value: Value = match text.parse() {
                Ok(value) => value,
                Err(_) => Value::String(Tag::Default, text.clone()),
            };
            figment = figment.merge(Serialized::default(&path(name), value));
        }
        figment.data()
    }
}
