//! `[server.limits]`: how much one request and all of them may be.
//!
//! Not here: enforcing them (the door and the schema).
//! Invariant: the defaults are those of the published contract.

use serde::Deserialize;

/// How much is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// Most requests at the same time.
    pub in_flight: usize,
    /// Deepest document, introspection not counted.
    pub depth: u32,
    /// Deepest introspection.
    pub introspection_depth: u32,
    /// Dearest document, introspection not counted.
    pub complexity: u64,
    /// Most aliases.
    pub aliases: u64,
    /// Rows of a page that does not say how many.
    pub page_default: u32,
    /// Most rows of a page.
    pub page_max: u32,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// Deadline in seconds of documents that do not act.
    pub request_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let schema = curfew_graphql::Limits::default();
        Self {
            body_bytes: 256 * 1024,
            in_flight: 1024,
            depth: schema.depth,
            introspection_depth: schema.introspection_depth,
            complexity: schema.complexity,
            aliases: schema.aliases,
            page_default: schema.page_default,
            page_max: schema.page_max,
            introspection: schema.introspection,
            request_seconds: schema.query_seconds,
        }
    }
}

impl Limits {
    /// What the schema enforces.
    pub fn of_schema(&self) -> curfew_graphql::Limits {
        curfew_graphql::Limits {
            depth: self.depth,
            introspection_depth: self.introspection_depth,
            complexity: self.complexity,
            aliases: self.aliases,
            page_default: self.page_default,
            page_max: self.page_max,
            query_seconds: self.request_seconds,
            introspection: self.introspection,
        }
    }

    /// What contradicts itself: the key and what it must be.
    pub(super) fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let numbers = [
            ("body_bytes", self.body_bytes as u64),
            ("in_flight", self.in_flight as u64),
            ("depth", self.depth.into()),
            ("introspection_depth", self.introspection_depth.into()),
            ("complexity", self.complexity),
            ("aliases", self.aliases),
            ("page_default", self.page_default.into()),
            ("page_max", self.page_max.into()),
            ("request_seconds", self.request_seconds),
        ];
        let mut problems: Vec<_> = numbers
            .into_iter()
            .filter(|(_, number)| *number == 0)
            .map(|(key, _)| (key, "must be at least 1"))
            .collect();
        if self.page_default > self.page_max {
            problems.push(("page_default", "must not be more than page_max"));
        }
        // tokio's semaphore takes no more.
        if self.in_flight > tokio::sync::Semaphore::MAX_PERMITS {
            problems.push(("in_flight", "is larger than can be counted"));
        }
        problems
    }
}
