//! The TLS of the public listener, from PEM texts.
//!
//! Not here: reading files (`config`) and TLS towards backends (`curfew-backends`).
//! Invariant: TLS 1.2 or newer with ring, and an error names the file and what is wrong with it.

use std::sync::Arc;

use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

/// A PEM text and where it comes from.
#[derive(Debug, Clone)]
pub struct Pem {
    /// How the operator knows it: `file:/etc/curfew/tls.crt`.
    pub place: String,
    /// The text.
    pub text: SecretString,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM.
    #[error("{place} cannot be read as PEM ({source})")]
    Pem {
        /// Which file.
        place: String,
        /// Where it is broken.
        source: pem::Error,
    },
    /// PEM without a certificate.
    #[error("{place} holds no certificate: the chain belongs there, the server's own certificate first")]
    NoCertificate {
        /// Which file.
        place: String,
    },
    /// PEM without a private key.
    #[error("{place} holds no private key: it must be unencrypted PKCS#8, PKCS#1 or SEC 1")]
    NoKey {
        /// Which file.
        place: String,
    },
    /// Two files that do not fit together.
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// rustls does not take them.
    #[error("{certificate} and {key} cannot be used ({source})")]
    Refused {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// A server's TLS, for HTTP/2 and HTTP/1.1.
///
/// # Errors
/// A [`TlsError`] that names the file.
pub fn server_config(certificate: &Pem, key: &Pem) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let chain = chain(certificate)?;
    let private = private_key(key)?;
    let refused = |source| match source {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
            certificate: certificate.place.clone(),
            key: key.place.clone(),
        },
        source => TlsError::Refused {
            certificate: certificate.place.clone(),
            key: key.place.clone(),
            source,
        },
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn chain(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(pem.text.expose_secret().as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| broken(pem, source))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate {
            place: pem.place.clone(),
        });
    }
    Ok(found)
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.text.expose_secret().as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey {
            place: pem.place.clone(),
        },
        source => broken(pem, source),
    })
}

fn broken(pem: &Pem, source: pem::Error) -> TlsError {
    TlsError::Pem {
        place: pem.place.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
