//! `docker-compose.yml` and `Dockerfile` as far as the test needs to understand them.
//!
//! Not Docker Compose's whole format: what is met and not known here is a panic, so that nothing of the file is passed
//! over. Invariant: what is read is what stands in the files, with merge keys resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// The folder that everything stands in.
pub(super) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The text of a file of the repository.
pub(super) fn text(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The whole file.
pub(super) struct Compose {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) whole: Value,
}

/// One service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: String,
    /// The stage of the `Dockerfile`; none where the image is somebody else's.
    pub(super) target: Option<String>,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) volumes: Vec<Mount>,
    /// Other services, and what is waited for of each.
    pub(super) depends_on: Vec<(String, Condition)>,
    pub(super) healthcheck: Option<Vec<String>>,
    /// Started only when it is asked for.
    pub(super) by_hand: bool,
    pub(super) whole: Value,
}

/// What is mounted where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// A volume's name, or a path that begins with `./`.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) read_only: bool,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Started,
    Healthy,
    Completed,
}

impl Compose {
    pub(super) fn read() -> Self {
        let mut yaml: yaml_serde::Value =
            yaml_serde::from_str(&text("docker-compose.yml")).expect("docker-compose.yml is YAML");
        // A merged mapping may itself hold a merge key.
        for _ in 0..3 {
            yaml.apply_merge().expect("merge keys can be resolved");
        }
        let whole: Value = serde_json::to_value(yaml).expect("JSON");
        let services = whole["services"].as_object().expect("services");
        let services = services
            .iter()
            .map(|(name, service)| (name.clone(), Service::read(name, service)))
            .collect();
        Self { services, whole }
    }

    /// The services in an order in which each stands behind those that it depends on.
    pub(super) fn in_order(&self) -> Vec<&Service> {
        let mut order: Vec<&Service> = Vec::new();
        while order.len() < self.services.len() {
            let before = order.len();
            for service in self.services.values() {
                let there = |name: &str| order.iter().any(|it| it.name == name);
                if !there(&service.name) && service.depends_on.iter().all(|(name, _)| there(name)) {
                    order.push(service);
                }
            }
            assert!(
                order.len() > before,
                "services depend on each other in a circle, or on none that is there"
            );
        }
        order
    }

    /// Whether somebody waits for the end of a service.
    pub(super) fn is_one_shot(&self, name: &str) -> bool {
        let mut waits = self.services.values().flat_map(|it| &it.depends_on);
        waits.any(|(on, condition)| on == name && *condition == Condition::Completed)
    }
}

impl Service {
    fn read(name: &str, service: &Value) -> Self {
        Self {
            name: name.to_owned(),
            target: service["build"]["target"].as_str().map(str::to_owned),
            image: service["image"]
                .as_str()
                .expect("every service has an image")
                .to_owned(),
            command: texts(&service["command"]),
            volumes: texts(&service["volumes"])
                .iter()
                .map(|it| Mount::read(it))
                .collect(),
            depends_on: depends_on(&service["depends_on"]),
            healthcheck: healthcheck(&service["healthcheck"]["test"]),
            by_hand: service.get("profiles").is_some(),
            whole: service.clone(),
        }
    }
}

impl Mount {
    fn read(text: &str) -> Self {
        let mut parts = text.split(':');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (from, to, options) = (next(), next(), next());
        assert!(
            matches!(options.as_str(), "" | "ro"),
            "{text}: this test knows no such option"
        );
        Self {
            from,
            to,
            read_only: options == "ro",
        }
    }
}

fn depends_on(value: &Value) -> Vec<(String, Condition)> {
    let Some(entries) = value.as_object() else {
        assert!(value.is_null(), "depends_on is written with conditions: {value}");
        return Vec::new();
    };
    let condition = |entry: &Value| match entry["condition"].as_str() {
        Some("service_started") => Condition::Started,
        Some("service_healthy") => Condition::Healthy,
        Some("service_completed_successfully") => Condition::Completed,
        other => panic!("an unknown condition: {other:?}"),
    };
    let entries = entries.iter();
    entries
        .map(|(name, entry)| (name.clone(), condition(entry)))
        .collect()
}

/// The command without `CMD`; a shell's command is not known here.
fn healthcheck(value: &Value) -> Option<Vec<String>> {
    let words = texts(value);
    let (kind, command) = words.split_first()?;
    assert_eq!(kind, "CMD", "a health check is a list of arguments");
    Some(command.to_vec())
}

fn texts(value: &Value) -> Vec<String> {
    if value.is_null() {
        return Vec::new();
    }
    let list = value.as_array().unwrap_or_else(|| panic!("not a list: {value}"));
    let text = |it: &Value| {
        it.as_str()
            .unwrap_or_else(|| panic!("not a text: {it}"))
            .to_owned()
    };
    list.iter().map(text).collect()
}

/// A stage of the `Dockerfile`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) name: String,
    /// An image, or an earlier stage.
    pub(super) from: String,
    /// The instructions behind `FROM`, continued lines joined.
    pub(super) instructions: Vec<String>,
}

impl Stage {
    /// What stands behind the last instruction of a kind.
    pub(super) fn last(&self, instruction: &str) -> Option<&str> {
        let found = self.instructions.iter().rev();
        let mut found = found.filter_map(|it| it.strip_prefix(instruction)?.strip_prefix(' '));
        found.next().map(str::trim)
    }

    /// The arguments of the last instruction of a kind in its form as a list.
    pub(super) fn list(&self, instruction: &str) -> Option<Vec<String>> {
        let list = self.last(instruction)?;
        let list = &list[list.find('[').expect("a list")..];
        Some(serde_json::from_str(list).unwrap_or_else(|error| panic!("{instruction} {list}: {error}")))
    }
}

/// The stages of the `Dockerfile`.
pub(super) fn stages() -> Vec<Stage> {
    let text = text("Dockerfile").replace("\\\n", " ");
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty() && !it.starts_with('#'));
    let mut stages: Vec<Stage> = Vec::new();
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), stages.last_mut()) {
            (["FROM", from, "AS", name], _) => stages.push(Stage {
                name: (*name).to_owned(),
                from: (*from).to_owned(),
                instructions: Vec::new(),
            }),
            (_, Some(stage)) => stage.instructions.push(line.to_owned()),
            (_, None) => panic!("before the first FROM … AS …: {line}"),
        }
    }
    stages
}

/// A stage by its name.
pub(super) fn stage(name: &str) -> Stage {
    let mut stages = stages().into_iter();
    stages
        .find(|it| it.name == name)
        .unwrap_or_else(|| panic!("the Dockerfile has no stage {name}"))
}
