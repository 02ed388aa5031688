//! Where an adapter may connect to: the rules for addresses, applied to the configuration and to every answer
//! of the name service.
//!
//! Not a firewall: private networks are where most backends live and are allowed.
//! Invariant: no request leaves for a loopback address unless the backend says `allow_loopback`, and none ever
//! leaves for a link-local or cloud-metadata address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::http::Names;

/// Whether a backend may live on this machine. Only simulators and tunnels do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loopback {
    /// Loopback addresses are refused.
    #[default]
    Refused,
    /// `allow_loopback = true`: they are allowed, and over plain HTTP too.
    Allowed,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL at all.
    #[error("`{0}` is no URL such as `https://ddc01.corp.example`")]
    NotAUrl(String),
    /// Not HTTPS, and not HTTP to this machine with `allow_loopback`.
    #[error("only https is spoken (plain http only to a loopback address and with `allow_loopback = true`)")]
    Scheme,
    /// User, password, query or fragment do not belong there.
    #[error("the URL must not contain credentials, a query or a fragment")]
    Extras,
    /// A loopback address without `allow_loopback`.
    #[error("`{0}` is a loopback address, which is refused without `allow_loopback = true`")]
    Loopback(String),
    /// Link-local, metadata service, multicast and the like.
    #[error("`{0}` is a link-local, metadata or multicast address, where no backend lives")]
    Forbidden(String),
}

/// Names under which clouds serve their instance metadata.
const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.azure.internal",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Metadata services that are not link-local: Google Cloud by IPv6, Alibaba Cloud, Azure's wire server.
const METADATA_ADDRESSES: &[IpAddr] = &[
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

impl Loopback {
    /// Checks a URL of the configuration.
    ///
    /// # Errors
    /// An [`AddressError`] that says what is wrong with it.
    pub fn check_url(self, text: &str) -> Result<Url, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::NotAUrl(text.to_owned()))?;
        let host = url.host().ok_or_else(|| AddressError::NotAUrl(text.to_owned()))?;
        let here = match &host {
            Host::Domain(name) => is_local_name(name),
            Host::Ipv4(ip) => is_loopback(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => is_loopback(IpAddr::V6(*ip)),
        };
        let plain_allowed = self == Self::Allowed && here && url.scheme() == "http";
        if url.scheme() != "https" && !plain_allowed {
            return Err(AddressError::Scheme);
        }
        let bare = url.username().is_empty() && url.password().is_none();
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Extras);
        }
        match host {
            Host::Domain(name) => self.check_name(name)?,
            Host::Ipv4(ip) => self.check_ip(IpAddr::V4(ip))?,
            Host::Ipv6(ip) => self.check_ip(IpAddr::V6(ip))?,
        }
        Ok(url)
    }

    fn check_name(self, name: &str) -> Result<(), AddressError> {
        let lower = name.trim_end_matches('.').to_ascii_lowercase();
        if METADATA_NAMES.contains(&lower.as_str()) {
            return Err(AddressError::Forbidden(name.to_owned()));
        }
        if self == Self::Refused && is_local_name(&lower) {
            return Err(AddressError::Loopback(name.to_owned()));
        }
        Ok(())
    }

    /// Checks an address that a request is about to be sent to.
    ///
    /// # Errors
    /// An [`AddressError`] that says why it is refused.
    pub fn check_ip(self, ip: IpAddr) -> Result<(), AddressError> {
        let ip = plain(ip);
        if is_forbidden(ip) {
            return Err(AddressError::Forbidden(ip.to_string()));
        }
        if self == Self::Refused && is_loopback(ip) {
            return Err(AddressError::Loopback(ip.to_string()));
        }
        Ok(())
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The IPv4 address that an IPv6 one stands for (mapped, or through NAT64), else the address itself.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    v6.to_canonical()
}

/// Loopback, and the unspecified address, which the kernel takes for loopback.
fn is_loopback(ip: IpAddr) -> bool {
    let ip = plain(ip);
    ip.is_loopback() || ip.is_unspecified()
}

fn is_forbidden(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local || ip.is_multicast() || is_of_aws(ip) || METADATA_ADDRESSES.contains(&ip)
}

/// fd00:ec2::/32, where AWS has its services of an instance: metadata, time, names.
fn is_of_aws(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.segments()[..2] == [0xfd00, 0xec2])
}

/// The system's name service, minus the addresses that the rules refuse. It is asked again for every
/// connection, so a name that is later pointed elsewhere is caught too.
#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver {
    pub(crate) rules: Loopback,
    pub(crate) names: Names,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules;
        let name = match &self.names {
            Names::System => name.as_str().to_owned(),
            Names::Configured(names) => match names.get(name.as_str()) {
                Some(address) => address.clone(),
                None => return Box::pin(async { Err("a host that is not configured".into()) }),
            },
        };
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = filter(rules, &name, found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn filter(
    rules: Loopback,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Box<Resolved>> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        // Plain HTTP is spoken to `localhost`, so that name must not lead off this machine.
        let strayed = is_local_name(name) && !is_loopback(address.ip());
        match rules.check_ip(address.ip()) {
            Ok(()) if !strayed => allowed.push(address),
            Ok(()) => refused = Some(AddressError::Forbidden(address.ip().to_string())),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if allowed.is_empty() => Err(Box::new(Resolved {
            name: name.to_owned(),
            error,
        })),
        _ => Ok(allowed),
    }
}

/// A name that resolves to nothing but refused addresses.
#[derive(Debug)]
struct Resolved {
    name: String,
    error: AddressError,
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` resolves to a refused address", self.name)
    }
}

impl std::error::Error for Resolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: Loopback, url: &str) -> String {
        match rules.check_url(url) {
            Ok(url) => format!("ok {url}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_https_to_places_where_backends_live() {
        let said: Vec<String> = [
            "https://ddc01.corp.example",
            "https://10.1.2.3:8443/prefix",
            "http://ddc01.corp.example",
            "ftp://ddc01.corp.example",
            "https://user:pw@ddc01.corp.example",
            "https://ddc01.corp.example/?a=b",
            "https://127.0.0.1",
            "https://0.0.0.0",
            "https://[::1]:8080",
            "https://[::ffff:127.0.0.1]",
            "https://[64:ff9b::a9fe:a9fe]",
            "https://localhost",
            "https://x.LOCALHOST.",
            "https://2130706433",
            "https://169.254.169.254",
            "https://[fe80::1]",
            "https://[fd00:ec2::254]",
            "https://metadata.google.internal.",
            "ddc01",
        ]
        .iter()
        .map(|url| format!("{url} -> {}", check(Loopback::Refused, url)))
        .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn metadata_services_are_refused_wherever_they_live() {
        for ip in [
            "fd00:ec2::254",
            "fd00:ec2::253",
            "fd00:ec2:ffff::1",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
        ] {
            let ip = ip.parse().unwrap();
            for rules in [Loopback::Refused, Loopback::Allowed] {
                assert!(
                    matches!(rules.check_ip(ip), Err(AddressError::Forbidden(_))),
                    "{ip}"
                );
            }
        }
        for ip in [
            "fd00:ec1::254",
            "fd00:ec3::1",
            "fd20:ce::253",
            "fd20:cf::254",
            "fd00::1",
        ] {
            assert_eq!(Loopback::Refused.check_ip(ip.parse().unwrap()), Ok(()), "{ip}");
        }
    }

    #[test]
    fn allow_loopback_allows_loopback_and_nothing_else() {
        for url in [
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "https://[::1]",
            "http://127.8.8.8",
        ] {
            assert!(check(Loopback::Allowed, url).starts_with("ok "), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "https://169.254.169.254",
            "https://[fe80::1]",
            "http://169.254.169.254",
            "http://sim.example",
        ] {
            assert!(!check(Loopback::Allowed, url).starts_with("ok "), "{url}");
        }
    }

    #[test]
    fn a_name_that_leads_to_a_refused_address_does_not_resolve() {
        let addresses = |ips: &[&str]| -> Vec<SocketAddr> {
            ips.iter()
                .filter_map(|ip| Some(SocketAddr::new(ip.parse().ok()?, 0)))
                .collect()
        };
        let ask = |rules, name: &str, ips: &[&str]| filter(rules, name, addresses(ips).into_iter());
        let refused = ask(Loopback::Refused, "ddc.example", &["127.0.0.1"]).unwrap_err();
        assert_eq!(refused.to_string(), "`ddc.example` resolves to a refused address");
        assert!(ask(Loopback::Allowed, "ddc.example", &["169.254.169.254"]).is_err());
        assert!(ask(Loopback::Allowed, "localhost", &["10.0.0.1"]).is_err());
        let mixed = ask(Loopback::Refused, "ddc.example", &["127.0.0.1", "10.0.0.1"]).unwrap();
        assert_eq!(mixed, addresses(&["10.0.0.1"]));
        assert_eq!(ask(Loopback::Refused, "ddc.example", &[]).unwrap(), []);
    }
}
