//! What an entry of `protected_users` can be.
//!
//! Not here: whom it means (`policy`). Invariant: an entry that can mean nobody is found, for it would protect nobody,
//! unnoticed.

use super::{NETBIOS, same};

/// What no account's name has (Microsoft, "User Name Formats", `sAMAccountName`).
const NOT_IN_NAMES: &str = "\"/\\[]:;|=,+*?<>@";
/// What no domain's NetBIOS name has; a dot would make it a DNS name.
const NOT_IN_DOMAINS: &str = "\"/\\[]:;|=,+*?<>@.";
/// What no UPN has. Directories differ about the rest.
const NOT_IN_UPNS: &str = "\"/\\[]:;|,*?<>";
/// Domains of groups and services; nobody of them logs on to a session.
const NOBODYS_DOMAINS: [&str; 4] = ["BUILTIN", "NT AUTHORITY", "NT SERVICE", "NT VIRTUAL MACHINE"];
/// Relative ids that are groups in every domain (Microsoft, "Well-known SIDs").
const GROUPS: [std::ops::RangeInclusive<u32>; 5] = [498..=498, 512..=522, 525..=527, 553..=553, 571..=572];

/// Whether an entry is meant as a SID.
pub(super) fn is_sid(entry: &str) -> bool {
    entry
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("S-1-"))
}

/// What is wrong with an entry, if it cannot be used.
pub(crate) fn unusable(entry: &str) -> Option<String> {
    let why = why(entry)?;
    Some(format!("`policy.protected_users`: `{entry}` {why}"))
}

fn why(entry: &str) -> Option<&'static str> {
    let parts: Vec<&str> = entry.split('\\').collect();
    if parts
        .iter()
        .any(|part| part.trim().is_empty() || part.trim() != *part)
    {
        return Some("has an empty part, or blanks around one");
    }
    match *parts {
        [".", name] => unusable_name(name),
        [domain, name] => unusable_domain(domain).or_else(|| unusable_name(name)),
        [sid] if is_sid(sid) => unusable_sid(sid),
        [upn] if upn.contains('@') => unusable_upn(upn),
        [name] => unusable_name(name),
        _ => Some("is none of DOMAIN\\name, .\\name, a UPN, a SID and a bare name"),
    }
}

fn has(text: &str, unwanted: &str) -> bool {
    text.chars().any(|it| it.is_control() || unwanted.contains(it))
}

fn unusable_name(name: &str) -> Option<&'static str> {
    if has(name, NOT_IN_NAMES) {
        Some("has a character that no account's name has; there are no patterns")
    } else if name.ends_with('.') {
        Some("ends with a dot, as no account's name does")
    } else {
        None
    }
}

fn unusable_domain(domain: &str) -> Option<&'static str> {
    if has(domain, NOT_IN_DOMAINS) || domain.chars().count() > NETBIOS {
        Some("has no NetBIOS name of a domain or host before its `\\`, such as CORP")
    } else if NOBODYS_DOMAINS.iter().any(|nobodys| same(domain, nobodys)) {
        Some("is a group or a service; only users can be protected")
    } else {
        None
    }
}

fn unusable_upn(upn: &str) -> Option<&'static str> {
    let halves = upn.split('@').collect::<Vec<_>>();
    let whole = halves.len() == 2 && halves.iter().all(|half| !half.is_empty());
    (!whole || has(upn, NOT_IN_UPNS)).then_some("is no UPN, such as name@corp.example")
}

/// Users have SIDs of a domain or host (`S-1-5-21-…`) or of Entra ID (`S-1-12-1-…`); any other is a group, a service or
/// part of the system ([MS-DTYP], section 2.4.2.4).
fn unusable_sid(sid: &str) -> Option<&'static str> {
    let parts: Option<Vec<u32>> = sid[2..]
        .split('-')
        .map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = digits && (part == "0" || !part.starts_with('0'));
            canonical.then(|| part.parse().ok()).flatten()
        })
        .collect();
    match parts.as_deref() {
        None => Some("is no SID"),
        Some([1, 5, 21, _, _, _, rid]) if GROUPS.iter().any(|groups| groups.contains(rid)) => {
            Some("is the SID of a group; only users can be protected")
        }
        Some([1, 5, 21, _, _, _, _] | [1, 12, 1, _, _, _, _]) => None,
        Some(_) => Some("is not the SID of a user"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_mean_somebody_can_be_used() {
        for entry in [
            "CORP\\svc-kiosk",
            ".\\Administrator",
            "bob",
            "anna lena",
            "Örjan$",
            "admin@corp.example",
            "o'neil+rdp@corp.example",
            "S-1-5-21-1-2-3-500",
            "s-1-5-21-4294967295-0-3-1104",
            "S-1-12-1-1-2-3-4",
            "AzureAD\\AnnaLena",
        ] {
            assert_eq!(unusable(entry), None, "{entry}");
        }
    }

    #[test]
    fn what_can_mean_nobody_is_told() {
        for entry in [
            "",
            " bob",
            "CORP\\",
            "\\bob",
            "A\\B\\c",
            "CORP\\*",
            "svc-*",
            "svc-?",
            "CORP/bob",
            "bob;anna",
            "bob\tx",
            "bob.",
            "CORP\\bob@corp.example",
            "@corp.example",
            "bob@",
            "a@b@c",
            "*@corp.example",
            "corp.example\\bob",
            "ADOMAINOFSIXTEEN\\bob",
            "BUILTIN\\Administrators",
            "nt authority\\SYSTEM",
            "S-1-5-32-544",
            "s-1-5-32-544",
            "S-1-5-18",
            "S-1-1-0",
            "S-1-5-21-1-2-3-512",
            "S-1-5-21-1-2-3",
            "S-1-5-21-1-2-3-01104",
            "S-1-5-21-1-2-3-x",
            "S-1-5-21-1-2-3-4294967296",
            "S-1-",
        ] {
            let why = unusable(entry).unwrap_or_else(|| panic!("{entry}"));
            assert!(why.starts_with("`policy.protected_users`: `"), "{why}");
        }
    }
}
