//! The audit log as a table that tests compare.
//!
//! Read through the public door like everything else. Invariant: readings of the log by the tests themselves are
//! left out, nothing else is.

use std::fmt;

use serde_json::{Value, json};

use crate::Client;

/// What tests look at of a record beside the table.
pub const OUTCOME_FIELDS: &str = "id recordedAt code phase action outcome cause actor { issuer subject name } requestId \
    sourceAddress operationId attempt backend sessionId target { id state user { name domain } machine { name } } \
    reason ticket sent endedBy latencyMs params \
    evidence { seen detail act { status nativeCode transactionId jobId latencyMs retryAfterMs } \
    job { status nativeCode } read { status } }";

/// Records, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditTrail(pub Vec<Value>);

impl AuditTrail {
    /// Everything but readings of the log.
    pub async fn read(auditor: &Client) -> Self {
        let filter = json!({ "phases": ["DENIED", "INTENT", "ATTEMPT", "OUTCOME", "RESOLUTION"] });
        Self::read_where(auditor, filter).await
    }

    /// What matches a filter.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub async fn read_where(auditor: &Client, filter: Value) -> Self {
        let document = format!(
            "query($filter: AuditFilter) {{ auditRecords(filter: $filter, first: 500) {{ nodes {{ {OUTCOME_FIELDS} }} }} }}"
        );
        let data = auditor.data(&document, json!({ "filter": filter })).await;
        let mut rows = data["auditRecords"]["nodes"]
            .as_array()
            .cloned()
            .expect("records");
        // Intent and first attempt share an instant.
        rows.sort_by_key(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let rank = ["DENIED", "INTENT", "ATTEMPT", "OUTCOME", "RESOLUTION", "READ"];
            let phase = rank.iter().position(|it| *it == text("phase"));
            (text("recordedAt"), text("operationId"), phase)
        });
        Self(rows)
    }

    /// The records of one phase.
    pub fn phase(&self, phase: &str) -> Vec<&Value> {
        self.0.iter().filter(|row| row["phase"] == phase).collect()
    }

    /// The one record of a phase.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn only(&self, phase: &str) -> &Value {
        match self.phase(phase)[..] {
            [row] => row,
            _ => panic!("not exactly one {phase}:\n{self}"),
        }
    }

    /// Compares the table, line by line; white space at the ends of `lines` does not count.
    ///
    /// # Panics
    /// If it is another one.
    #[track_caller]
    pub fn assert_is(&self, lines: &str) {
        let wanted: Vec<_> = lines.trim().lines().map(str::trim).collect();
        let table = self.to_string();
        let found: Vec<_> = table.lines().collect();
        assert_eq!(
            found, wanted,
            "the audit log is not as it should be, but:\n{self}"
        );
    }

    /// The records of one operation.
    pub fn of(&self, operation: &Value) -> Self {
        let rows = self.0.iter().filter(|row| row["operationId"] == *operation);
        Self(rows.cloned().collect())
    }
}

/// One line a record: phase, attempt, action, outcome, cause, whether it was sent, who ended it, who asked.
impl fmt::Display for AuditTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, row) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            write!(f, "{}", text("phase"))?;
            if row["phase"] == "ATTEMPT" {
                write!(f, " {}", row["attempt"])?;
            }
            write!(f, " {}", text("action"))?;
            for (name, label) in [
                ("outcome", ""),
                ("cause", ""),
                ("sent", "sent="),
                ("endedBy", "by "),
            ] {
                if !row[name].is_null() {
                    write!(f, " {label}{}", text(name))?;
                }
            }
            write!(f, " <- {}", row["actor"]["name"].as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}
