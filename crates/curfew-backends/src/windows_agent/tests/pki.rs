//! A certificate authority for tests, and the certificates that it gives, right ones and wrong ones.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};

/// The trust domain of all tests.
pub(crate) const DOMAIN: &str = "curfew";
pub(crate) const GATEWAY: &str = "spiffe://curfew/gateway";

/// The id of an agent.
pub(crate) fn agent(host: &str) -> String {
    format!("spiffe://{DOMAIN}/agent/{}", host.to_lowercase())
}

/// A certificate authority. All are called the same.
pub(crate) struct Pki {
    pub(crate) ca: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, "Agents CA");
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a CA").pem();
        let issuer = Issuer::new(params, key);
        Self { ca, issuer }
    }

    /// A certificate with these URIs.
    pub(crate) fn pair(&self, uris: &[&str]) -> Pair {
        self.signed(uris, |_| ())
    }

    pub(crate) fn gateway(&self) -> Pair {
        self.pair(&[GATEWAY])
    }

    pub(crate) fn expired(&self, uri: &str) -> Pair {
        self.signed(&[uri], |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    /// A certificate that ends on the twentieth of January 2026, four days after tests begin.
    pub(crate) fn ending(&self, uri: &str) -> Pair {
        self.signed(&[uri], |params| params.not_after = date_time_ymd(2026, 1, 20))
    }

    /// A certificate that only servers, or only clients, may show.
    pub(crate) fn only_for(&self, uri: &str, usage: ExtendedKeyUsagePurpose) -> Pair {
        self.signed(&[uri], |params| params.extended_key_usages = vec![usage])
    }

    fn signed(&self, uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        // A name in a DNS entry opens nothing.
        let mut params = CertificateParams::new(vec!["term04".to_owned()]).expect("parameters");
        for uri in uris {
            let uri = (*uri).try_into().expect("a URI");
            params.subject_alt_names.push(SanType::URI(uri));
        }
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}
