//! Chains of proxies as a table. Not configuration. Invariant: each line stands alone.

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::source_address;

#[test]
fn only_what_trusted_proxies_wrote_is_believed() {
    let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
        .iter()
        .map(|it| it.parse().expect("a net"))
        .collect();
    let table: &[(&str, &[&str], &str)] = &[
        // Nobody in between: the header is the client's own invention.
        ("203.0.113.9", &[], "203.0.113.9"),
        ("203.0.113.9", &["1.2.3.4"], "203.0.113.9"),
        ("203.0.113.9", &["10.0.0.1"], "203.0.113.9"),
        // One proxy.
        ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", &["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", &["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", &[], "10.0.0.1"),
        // Two proxies.
        ("10.0.0.1", &["1.2.3.4, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", &["203.0.113.9", "10.9.9.9"], "203.0.113.9"),
        // Proxies all the way: the farthest.
        ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        // Spellings.
        ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:203.0.113.9", &[], "203.0.113.9"),
        ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
        // Garbage ends the chain at the proxy that passed it on.
        ("10.0.0.1", &["1.2.3.4, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["1.2.3.4, <script>, 10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", &[""], "10.0.0.1"),
    ];
    for (peer, forwarded, expected) in table {
        let mut headers = HeaderMap::new();
        for line in *forwarded {
            headers.append(
                "x-forwarded-for",
                HeaderValue::from_str(line).expect("a header value"),
            );
        }
        let source = source_address(peer.parse().expect("an address"), &headers, &trusted);
        assert_eq!(source.to_string(), *expected, "{peer} with {forwarded:?}");
    }
}

#[test]
fn without_trusted_proxies_the_peer_is_the_source() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
    let source = source_address("10.0.0.1".parse().expect("an address"), &headers, &[]);
    assert_eq!(source.to_string(), "10.0.0.1");
}
