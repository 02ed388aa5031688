//! Where a request came from, for the record.
//!
//! Not an access rule: nothing is allowed or refused by address.
//! Invariant: a header is believed only as far as trusted proxies wrote it, from the right.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client: the peer's, or, if the peer is a trusted proxy, the rightmost address of
/// `X-Forwarded-For` that is not itself one. IPv4 addresses in IPv6 clothes are undressed.
pub fn source_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let trusts = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut source = peer.to_canonical();
    // Each proxy appends the address it was called from, so the list is read backwards; several headers are
    // one list (RFC 9110, section 5.3).
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|it| it.to_str().unwrap_or_default())
        .collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusts(source) {
            break;
        }
        // What a proxy cannot have written ends the chain: the last address that is known is that proxy's.
        let Some(address) = address(entry.trim()) else {
            break;
        };
        source = address;
    }
    source
}

/// An address, with or without a port (some proxies add it).
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()))
        .ok()
        .map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests;
