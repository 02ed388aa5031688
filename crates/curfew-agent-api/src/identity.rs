//! The names in certificates: SPIFFE ids of gateways and agents.
//!
//! Not here: reading certificates (`tls`). A gateway and an agent of one trust domain have ids of different kinds, so
//! a stolen agent's key commands no other agent.
//! Invariant: one host has one id, whatever case its name is written in.

use std::fmt;

/// Why a text is no trust domain or host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z0-9._-]{1,255}` (SPIFFE ID, section 2.1).
    #[error("a trust domain is 1 to 255 of a-z, 0-9, `.`, `-` and `_`")]
    TrustDomain,
    /// Not a name that a Windows host can have.
    #[error("a host's name is 1 to 63 letters, digits and `-`, with neither `-` at its ends")]
    Host,
}

/// A trust domain: the hosts and gateways under one certificate authority.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// Parses its name.
    ///
    /// # Errors
    /// [`NameError::TrustDomain`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if (1..=255).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::TrustDomain)
        }
    }

    /// The id of every gateway of this trust domain.
    pub fn gateway(&self) -> String {
        format!("spiffe://{}/gateway", self.0)
    }

    /// The id of the agent on a host.
    pub fn agent(&self, host: &str) -> String {
        format!("spiffe://{}/agent/{}", self.0, host.to_ascii_lowercase())
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a host's short name.
///
/// # Errors
/// [`NameError::Host`].
pub fn check_host(name: &str) -> Result<(), NameError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let ends = name.starts_with('-') || name.ends_with('-');
    if (1..=63).contains(&name.len()) && name.bytes().all(good) && !ends {
        Ok(())
    } else {
        Err(NameError::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_whatever_the_case() {
        let domain = TrustDomain::parse("corp.example").expect("a trust domain");
        assert_eq!(domain.gateway(), "spiffe://corp.example/gateway");
        assert_eq!(domain.agent("TERM04"), "spiffe://corp.example/agent/term04");
        assert_eq!(domain.agent("term04"), domain.agent("Term04"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "CORP", "a b", "corp/agent", "ä"] {
            assert_eq!(TrustDomain::parse(text), Err(NameError::TrustDomain), "{text}");
        }
        for text in ["", "-a", "a-", "a.b", "a/b", "a_b", &"a".repeat(64)] {
            assert_eq!(check_host(text), Err(NameError::Host), "{text}");
        }
        assert_eq!(check_host("TERM-04"), Ok(()));
    }
}
