//! Who trusts whom: the TLS configurations of gateway and agent.
//!
//! TLS 1.3 alone, both sides show a certificate of the trust domain's own authority, and each checks that the one
//! URI in the other's certificate is exactly the id it means. A name in a DNS entry, or another entry beside it, opens
//! nothing.
//!
//! Not here: issuing certificates, listening, connecting.
//! Invariant: a connection that stands is one between a gateway and the very agent it meant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, RootCertStore, ServerConfig, SignatureScheme,
};
use x509_parser::extensions::GeneralName;

use crate::TrustDomain;

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM text holds no certificate, or one that cannot be read.
    #[error("{0} holds no readable PEM certificate")]
    Certificate(&'static str),
    /// The PEM text holds no private key that can be used.
    #[error("{0} holds no usable PEM private key")]
    Key(&'static str),
    /// The certificate is not that of the key.
    #[error("the certificate and the key do not belong together")]
    Mismatch(#[source] Error),
    /// The certificate is that of somebody else.
    #[error("the certificate is that of {found}, not of `{wanted}`")]
    WrongId {
        /// What it says.
        found: String,
        /// What it should say.
        wanted: String,
    },
    /// The other side could not accept the certificate.
    #[error("the certificate is not one that the authority stands for")]
    Untrusted(#[source] Error),
    /// The TLS library refuses the set-up.
    #[error("TLS cannot be set up")]
    SetUp(#[source] Error),
    /// The authorities cannot be used to check clients.
    #[error("the certificate authorities cannot be used")]
    Authorities(#[source] rustls::server::VerifierBuilderError),
}

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads PEM texts.
    ///
    /// # Errors
    /// [`TlsError`] that names the text that is wrong.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, TlsError> {
        Ok(Self {
            chain: certificates(cert, "the certificate")?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::Key("the key"))?,
        })
    }

    /// Checks that it is the identity called `id`, so that a mix-up shows at the start and not at the first call.
    ///
    /// # Errors
    /// [`TlsError::WrongId`].
    pub fn expect(&self, id: &str) -> Result<(), TlsError> {
        let found = self
            .chain
            .first()
            .map_or_else(|| Err("nobody".to_owned()), only_uri);
        match found {
            Ok(found) if found == id => Ok(()),
            Ok(found) | Err(found) => Err(TlsError::WrongId {
                found,
                wanted: id.to_owned(),
            }),
        }
    }

    /// Checks that the certificate is one that the other side can accept: signed under an authority of `ca`, for use by a
    /// server, and valid at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`TlsError::Untrusted`], or [`TlsError::Certificate`] if `ca` cannot be read.
    pub fn check_issuer(&self, ca: &str, now: i64) -> Result<(), TlsError> {
        let roots = roots(ca)?;
        let Some((leaf, intermediates)) = self.chain.split_first() else {
            return Err(TlsError::Certificate("the certificate"));
        };
        let now = Duration::from_secs(u64::try_from(now).unwrap_or(0));
        let now = UnixTime::since_unix_epoch(now);
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let parsed = ParsedCertificate::try_from(leaf).map_err(TlsError::Untrusted)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms.all)
            .map_err(TlsError::Untrusted)
    }

    /// The end of the certificate's life, in seconds since 1970.
    pub fn ends_at(&self) -> Option<i64> {
        let (_, parsed) = x509_parser::parse_x509_certificate(self.chain.first()?).ok()?;
        Some(parsed.validity().not_after.timestamp())
    }

    fn certified(self) -> Result<CertifiedKey, TlsError> {
        CertifiedKey::from_der(self.chain, self.key, &ring::default_provider()).map_err(TlsError::Mismatch)
    }
}

/// The gateway's side: shows `gateway`, and connects only to the agent whose host the server name says.
///
/// The server name of a connection is the host's short name in lower case.
///
/// # Errors
/// [`TlsError`] if a text is wrong.
pub fn gateway_config(domain: &TrustDomain, ca: &str, gateway: Identity) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = AgentVerifier {
        domain: domain.clone(),
        roots: roots(ca)?,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::SetUp)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(gateway.chain, gateway.key)
        .map_err(TlsError::Mismatch)?;
    // A resumed connection would be one whose certificates nobody has looked at.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The agent's side: shows `agent`, and lets in nobody but a gateway.
///
/// # Errors
/// [`TlsError`] if a text is wrong.
pub fn agent_config(domain: &TrustDomain, ca: &str, agent: Identity) -> Result<ServerConfig, TlsError> {
    let only = Arc::new(Only(Arc::new(agent.certified()?)));
    agent_config_with(domain, ca, only)
}

/// [`agent_config`] with a resolver of certificates: for renewals without a restart, and for a simulated fleet behind
/// one listener.
///
/// # Errors
/// [`TlsError`] if a text is wrong.
pub fn agent_config_with(
    domain: &TrustDomain,
    ca: &str,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), Arc::clone(&provider))
        .build()
        .map_err(TlsError::Authorities)?;
    let verifier = GatewayVerifier {
        id: domain.gateway(),
        chain,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::SetUp)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(resolver);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// A certificate with its key, ready for a [`ResolvesServerCert`].
///
/// # Errors
/// [`TlsError`] if they do not belong together.
pub fn certified_key(identity: Identity) -> Result<Arc<CertifiedKey>, TlsError> {
    identity.certified().map(Arc::new)
}

#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::Certificate(what)),
    }
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "the authority")? {
        roots
            .add(certificate)
            .map_err(|_| TlsError::Certificate("the authority"))?;
    }
    Ok(roots)
}

/// The one URI of a certificate; `Err` says what it has instead.
fn only_uri(certificate: &CertificateDer<'_>) -> Result<String, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| "nobody".to_owned())?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match *uris {
        [only] => Ok(only.to_owned()),
        [] => Err("nobody (it has no URI)".to_owned()),
        _ => Err(format!("several ({})", uris.join(", "))),
    }
}

/// A certificate of the right authority, and of somebody else.
#[derive(Debug)]
pub struct WrongId {
    /// Whose it is.
    pub found: String,
    /// Whose it should be.
    pub wanted: String,
}

impl fmt::Display for WrongId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the certificate is that of {}, not of {}",
            self.found, self.wanted
        )
    }
}

impl std::error::Error for WrongId {}

fn check_id(certificate: &CertificateDer<'_>, wanted: &str) -> Result<(), Error> {
    let found = match only_uri(certificate) {
        Ok(found) if found == wanted => return Ok(()),
        Ok(found) | Err(found) => found,
    };
    let wrong = WrongId {
        found,
        wanted: wanted.to_owned(),
    };
    Err(Error::InvalidCertificate(CertificateError::Other(OtherError(
        Arc::new(wrong),
    ))))
}

/// Checks agents: the chain, the time, the use, and the id of the host that was meant.
#[derive(Debug)]
struct AgentVerifier {
    domain: TrustDomain,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AgentVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        let ServerName::DnsName(host) = server_name else {
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        };
        check_id(end_entity, &self.domain.agent(host.as_ref()))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Checks gateways: what webpki checks of a client, and the id.
#[derive(Debug)]
struct GatewayVerifier {
    id: String,
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for GatewayVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        check_id(end_entity, &self.id)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
