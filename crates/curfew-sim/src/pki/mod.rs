//! A certificate authority for development and tests, with certificates for gateways, agents and plain TLS servers,
//! right ones and wrong ones.
//!
//! Not for production: its keys lie about in memory or in a folder, nothing is renewed and nothing is revoked.
//! Invariant: what is issued without a [`Flaw`] passes the checks of `curfew_agent_api::tls` on both sides.

mod folder;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::Datelike as _;
use curfew_agent_api::TrustDomain;
use curfew_agent_api::identity::check_host;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use serde::{Deserialize, Serialize};

pub use folder::CaFolder;

use crate::clock;
use crate::serve::TlsPem;

/// How many years a certificate is good for.
const YEARS: i32 = 10;

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flaw {
    /// It is that of somebody else: of another host's agent, be it asked for a gateway or for an agent.
    OtherHost,
    /// It ended in 2001.
    Expired,
    /// An authority issued it that has the same name and is another one.
    OtherCa,
    /// It has a DNS name and no URI.
    NoUri,
    /// It has the right URI, and one more.
    SeveralUris,
    /// It is for the other end of a connection.
    WrongUse,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OtherHost,
        Self::Expired,
        Self::OtherCa,
        Self::NoUri,
        Self::SeveralUris,
        Self::WrongUse,
    ];
}

/// The host of [`Flaw::OtherHost`].
const OTHER_HOST: &str = "somebody-else";

/// A certificate authority of a trust domain. Cheap to clone.
#[derive(Clone)]
pub struct DevPki {
    domain: TrustDomain,
    ca: TlsPem,
    issuer: Arc<Issuer<'static, KeyPair>>,
}

impl std::fmt::Debug for DevPki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevPki")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl DevPki {
    /// A fresh authority.
    ///
    /// # Errors
    /// If the text is no trust domain.
    pub fn new(trust_domain: &str) -> anyhow::Result<Self> {
        let domain = parse_domain(trust_domain)?;
        let key = new_key()?;
        let params = ca_params(&domain)?;
        let cert = params.self_signed(&key).context("signing the authority")?;
        let ca = TlsPem {
            cert: cert.pem(),
            key: key.serialize_pem(),
        };
        Ok(Self::of(domain, ca, params, key))
    }

    /// The authority with this certificate and key, as [`DevPki::new`] once made it for the same trust domain.
    fn existing(domain: TrustDomain, ca: TlsPem) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(&ca.key).context("reading the authority's key")?;
        let params = ca_params(&domain)?;
        Ok(Self::of(domain, ca, params, key))
    }

    fn of(domain: TrustDomain, ca: TlsPem, params: CertificateParams, key: KeyPair) -> Self {
        Self {
            domain,
            ca,
            issuer: Arc::new(Issuer::new(params, key)),
        }
    }

    /// The trust domain in its certificates.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// The authority's certificate: what both sides trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca.cert
    }

    /// A gateway's certificate and key.
    ///
    /// # Errors
    /// If signing fails.
    pub fn gateway(&self) -> anyhow::Result<TlsPem> {
        self.issue(&new_key()?, self.gateway_params()?)
    }

    /// The certificate and key of the agent on a host.
    ///
    /// # Errors
    /// If a host cannot be called that.
    pub fn agent(&self, host: &str) -> anyhow::Result<TlsPem> {
        self.agent_with(host, &new_key()?)
    }

    /// A gateway's certificate with something wrong.
    ///
    /// # Errors
    /// If signing fails.
    pub fn wrong_gateway(&self, flaw: Flaw) -> anyhow::Result<TlsPem> {
        self.issue_wrong(self.gateway_params()?, flaw)
    }

    /// A certificate of the agent on a host with something wrong.
    ///
    /// # Errors
    /// If a host cannot be called that.
    pub fn wrong_agent(&self, host: &str, flaw: Flaw) -> anyhow::Result<TlsPem> {
        self.issue_wrong(self.agent_params(host)?, flaw)
    }

    /// A certificate and key for a plain TLS server, such as a simulator of a vendor's API; a name is a DNS name or an
    /// IP address, such as `localhost`.
    ///
    /// # Errors
    /// If there is no name, or one that a certificate cannot carry.
    pub fn server(&self, names: &[&str]) -> anyhow::Result<TlsPem> {
        let first = names.first().context("a server needs a name")?;
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names.clone())
            .with_context(|| format!("{} cannot be names of a server", names.join(", ")))?;
        leaf(&mut params, first, ExtendedKeyUsagePurpose::ServerAuth);
        self.issue(&new_key()?, params)
    }

    fn agent_with(&self, host: &str, key: &KeyPair) -> anyhow::Result<TlsPem> {
        self.issue(key, self.agent_params(host)?)
    }

    fn gateway_params(&self) -> anyhow::Result<CertificateParams> {
        let mut params = CertificateParams::default();
        leaf(&mut params, "gateway", ExtendedKeyUsagePurpose::ClientAuth);
        params.subject_alt_names = vec![uri(self.domain.gateway())?];
        Ok(params)
    }

    fn agent_params(&self, host: &str) -> anyhow::Result<CertificateParams> {
        check_host(host).with_context(|| format!("`{host}` is no name of a host"))?;
        let mut params = CertificateParams::default();
        leaf(&mut params, host, ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = vec![uri(self.domain.agent(host))?, dns(&host.to_ascii_lowercase())?];
        Ok(params)
    }

    fn issue(&self, key: &KeyPair, params: CertificateParams) -> anyhow::Result<TlsPem> {
        let cert = params
            .signed_by(key, &*self.issuer)
            .context("signing a certificate")?;
        Ok(TlsPem {
            cert: cert.pem(),
            key: key.serialize_pem(),
        })
    }

    fn issue_wrong(&self, mut params: CertificateParams, flaw: Flaw) -> anyhow::Result<TlsPem> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let other = uri(self.domain.agent(OTHER_HOST))?;
        match flaw {
            Flaw::OtherHost => params.subject_alt_names = vec![other],
            Flaw::Expired => {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            Flaw::OtherCa => return Self::new(&self.domain.to_string())?.issue(&new_key()?, params),
            Flaw::NoUri => params.subject_alt_names = vec![dns("localhost")?],
            Flaw::SeveralUris => params.subject_alt_names.push(other),
            Flaw::WrongUse => {
                let server = params.extended_key_usages.contains(&ServerAuth);
                params.extended_key_usages = vec![if server { ClientAuth } else { ServerAuth }];
            }
        }
        self.issue(&new_key()?, params)
    }
}

fn parse_domain(text: &str) -> anyhow::Result<TrustDomain> {
    TrustDomain::parse(text).with_context(|| format!("`{text}` is no trust domain"))
}

fn new_key() -> anyhow::Result<KeyPair> {
    KeyPair::generate().context("making a key")
}

/// A function of the trust domain and the year, and only the certificate's dates hang on the year: an authority that
/// is read back signs under the same name.
fn ca_params(domain: &TrustDomain) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    name(&mut params, &format!("Curfew development CA of {domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri(ca_id(domain))?];
    Ok(params)
}

/// The id of an authority is that of its trust domain (SPIFFE X.509-SVID, section 3.1).
fn ca_id(domain: &TrustDomain) -> String {
    format!("spiffe://{domain}")
}

fn leaf(params: &mut CertificateParams, common_name: &str, usage: ExtendedKeyUsagePurpose) {
    name(params, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
}

/// The name in the subject, and dates around now.
fn name(params: &mut CertificateParams, common_name: &str) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let year = clock::now().year();
    // A whole year back, so that a machine whose clock is behind takes it too.
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + YEARS, 1, 1);
}

fn uri(text: String) -> anyhow::Result<SanType> {
    Ok(SanType::URI(text.try_into().context("a URI is ASCII")?))
}

fn dns(text: &str) -> anyhow::Result<SanType> {
    Ok(SanType::DnsName(text.try_into().context("a DNS name is ASCII")?))
}
