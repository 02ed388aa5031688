//! Targets: the name that they were asked for by, and what of them is kept.

use super::*;
use crate::fakes::store_contract::sample;

fn named(name: Option<&str>) -> TargetSnapshot {
    TargetSnapshot {
        named_as: name.map(str::to_owned),
        ..sample::target("TERM04/12")
    }
}

#[test]
fn a_session_is_called_as_it_was_asked_for_in_any_case() {
    for (asked, now, still) in [
        (Some("RDP-Tcp#3"), Some("RDP-Tcp#3"), true),
        (Some("rdp-tcp#3"), Some("RDP-TCP#3"), true),
        (Some("ÄRMEL"), Some("ärmel"), true),
        (Some("RDP-Tcp#3"), Some("RDP-Tcp#33"), false),
        (Some("RDP-Tcp#3"), Some(""), false),
        (Some("RDP-Tcp#3"), None, false),
        (None, Some("RDP-Tcp#3"), true),
        (None, None, true),
    ] {
        assert_eq!(named(asked).is_still_called(now), still, "{asked:?} {now:?}");
    }
}

#[test]
fn a_target_that_was_not_asked_for_by_name_is_kept_as_ever() {
    let kept = serde_json::to_value(named(None)).expect("JSON");
    assert_eq!(kept.get("namedAs"), None);
    assert_eq!(
        serde_json::from_value::<TargetSnapshot>(kept).ok(),
        Some(named(None))
    );
    let kept = serde_json::to_value(named(Some("Console"))).expect("JSON");
    assert_eq!(kept["namedAs"], "Console");
    assert_eq!(
        serde_json::from_value::<TargetSnapshot>(kept).ok(),
        Some(named(Some("Console")))
    );
}
