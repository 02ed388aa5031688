//! The commands of `curfew-sim` that make something and end: an issuer, tokens, a database's password.
//!
//! Not simulators: nothing is served. Invariant: run again, they keep what is there.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Group;
use curfew_sim::issuer::{About, Issuer, Person, make_password};

/// The roles of a gateway; groups are called after them.
const ROLES: [&str; 6] = ["viewer", "helpdesk", "operator", "automation", "auditor", "admin"];

/// `curfew-sim issuer`.
#[derive(Debug, Group)]
pub(crate) struct MakeIssuer {
    /// Where its key lives, and what `token` needs.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A further folder for `jwks.json` alone, for gateways.
    #[arg(long, value_name = "DIR")]
    public: Option<PathBuf>,
    /// `iss` of the tokens.
    #[arg(long, value_name = "URL", default_value = "https://login.demo.example")]
    issuer: String,
    /// `aud` of the tokens.
    #[arg(long, value_name = "NAME", default_value = "curfew")]
    audience: String,
}

impl MakeIssuer {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let about = About {
            issuer: self.issuer,
            audience: self.audience,
        };
        Issuer::make(&self.out, about, self.public.as_deref())?;
        Ok(())
    }
}

/// `curfew-sim token`.
#[derive(Debug, Group)]
pub(crate) struct MakeTokens {
    /// The folder that `issuer` made.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// How long they are good, in hours.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=8760))]
    hours: u32,
    /// One token for each of these groups; without any, one for each role.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
}

impl MakeTokens {
    /// Prints `VIEWER=…`, one line for each group, for a shell to take.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let issuer = Issuer::open(&self.issuer)?;
        let lifetime = Duration::from_secs(3600 * u64::from(self.hours));
        let groups = if self.groups.is_empty() {
            ROLES.map(str::to_owned).to_vec()
        } else {
            self.groups
        };
        for group in groups {
            let token = issuer.token(&Person::in_group(&group), lifetime)?;
            println!("{}={token}", variable(&group));
        }
        Ok(())
    }
}

/// The group as a name that a shell takes for a variable.
fn variable(group: &str) -> String {
    let letter = |it: char| {
        if it.is_ascii_alphanumeric() {
            it.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    group.chars().map(letter).collect()
}

/// `curfew-sim password`.
#[derive(Debug, Group)]
pub(crate) struct MakePassword {
    /// Where `password` and `url` are written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The database's URL, with `{password}` where the password belongs.
    #[arg(long, value_name = "URL")]
    url: String,
}

impl MakePassword {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        make_password(&self.out, &self.url)
    }
}
