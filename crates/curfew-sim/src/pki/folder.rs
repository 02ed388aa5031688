//! An authority that lives in a folder, so that processes which start one after the other share it.
//!
//! Not a secret store: whoever reads the folder can be any host and any gateway. Files: `ca.pem`, `ca.key`,
//! `gateway.crt`, `gateway.key`, and `<name>.crt`, `<name>.key` for every host and every server that was asked for; keys
//! are readable by their owner alone.
//! Invariant: what the folder holds is used and never overwritten.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, certified_key};
use rcgen::KeyPair;

use super::{DevPki, new_key, parse_domain};
use crate::files::{Who, make_folder, read, write_new};
use crate::serve::TlsPem;

/// A development authority in a folder.
#[derive(Debug)]
pub struct CaFolder {
    folder: PathBuf,
    pki: DevPki,
}

impl CaFolder {
    /// Opens the authority in a folder; where there is none, makes it.
    ///
    /// # Errors
    /// If the folder holds half an authority or one of another trust domain, or cannot be read or written.
    pub fn open(folder: &Path, trust_domain: &str) -> anyhow::Result<Self> {
        let domain = parse_domain(trust_domain)?;
        let (cert, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let pki = match (read(&cert)?, read(&key)?) {
            (Some(cert), Some(key)) => existing(domain, TlsPem { cert, key })
                .with_context(|| format!("the authority in {}", folder.display()))?,
            (None, None) => {
                let pki = DevPki::new(trust_domain)?;
                make_folder(folder)?;
                write_new(&key, &pki.ca.key, Who::Owner)?;
                write_new(&cert, &pki.ca.cert, Who::Everybody)?;
                pki
            }
            (Some(_), None) => bail!("{} is there without its key {}", cert.display(), key.display()),
            (None, Some(_)) => bail!(
                "{} is there without its certificate {}",
                key.display(),
                cert.display()
            ),
        };
        let it = Self {
            folder: folder.to_owned(),
            pki,
        };
        it.gateway()?;
        Ok(it)
    }

    /// The authority itself.
    pub fn pki(&self) -> &DevPki {
        &self.pki
    }

    /// Where it lives.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The gateway's certificate and key, made if they are not there.
    ///
    /// # Errors
    /// If those that are there are not the gateway's of this trust domain, or cannot be read or written.
    pub fn gateway(&self) -> anyhow::Result<TlsPem> {
        let id = self.pki.domain.gateway();
        self.kept("gateway", &id, |pki, key| pki.issue(key, pki.gateway_params()?))
    }

    /// The certificate and key of a host's agent, made if they are not there.
    ///
    /// # Errors
    /// If a host cannot be called that, or those that are there are somebody else's, or cannot be read or written.
    pub fn agent(&self, host: &str) -> anyhow::Result<TlsPem> {
        if ["ca", "gateway"]
            .iter()
            .any(|taken| host.eq_ignore_ascii_case(taken))
        {
            bail!("a host cannot be called `{host}` here: the files of that name are taken");
        }
        // Before the name becomes part of a path.
        self.pki.agent_params(host)?;
        let id = self.pki.domain.agent(host);
        self.kept(host, &id, |pki, key| pki.agent_with(host, key))
    }

    /// The certificate and key of a plain TLS server, made if they are not there: for its name, and for this machine's
    /// own, so that it can be called through a port that is passed on.
    ///
    /// # Errors
    /// If a certificate cannot carry the name, or they cannot be read or written.
    pub fn server(&self, name: &str) -> anyhow::Result<TlsPem> {
        let usable = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '.';
        if name.is_empty()
            || !name.chars().all(usable)
            || name.starts_with('.')
            || ["ca", "gateway"].contains(&name)
        {
            bail!("a server cannot be called `{name}` here");
        }
        let file = |end: &str| self.folder.join(format!("{name}.{end}"));
        let (cert, key) = (file("crt"), file("key"));
        match (read(&cert)?, read(&key)?) {
            (Some(cert), Some(key)) => Ok(TlsPem { cert, key }),
            (None, None) => {
                let pem = self.pki.server(&[name, "localhost", "127.0.0.1"])?;
                write_new(&key, &pem.key, Who::Owner)?;
                write_new(&cert, &pem.cert, Who::Everybody)?;
                Ok(pem)
            }
            _ => bail!(
                "of {} and {} only one is there: remove it",
                cert.display(),
                key.display()
            ),
        }
    }

    fn kept(
        &self,
        name: &str,
        id: &str,
        issue: impl Fn(&DevPki, &KeyPair) -> anyhow::Result<TlsPem>,
    ) -> anyhow::Result<TlsPem> {
        let file = |end: &str| self.folder.join(format!("{name}.{end}"));
        let (cert_path, key_path) = (file("crt"), file("key"));
        let pem = match (read(&cert_path)?, read(&key_path)?) {
            (Some(cert), Some(key)) => TlsPem { cert, key },
            (Some(_), None) => bail!("{} is there without its key", cert_path.display()),
            (None, there) => {
                // A key without a certificate: a run was cut off between the two.
                let key = match &there {
                    Some(text) => KeyPair::from_pem(text)
                        .with_context(|| format!("{} holds no usable key", key_path.display()))?,
                    None => new_key()?,
                };
                let pem = issue(&self.pki, &key)?;
                if there.is_none() {
                    write_new(&key_path, &pem.key, Who::Owner)?;
                }
                write_new(&cert_path, &pem.cert, Who::Everybody)?;
                pem
            }
        };
        let identity = Identity::from_pem(&pem.cert, &pem.key)
            .and_then(|identity| identity.expect(id).map(|()| identity))
            .and_then(certified_key);
        identity.with_context(|| {
            format!(
                "{} is not what this run needs: take another folder, or remove it",
                cert_path.display()
            )
        })?;
        Ok(pem)
    }
}

fn existing(domain: TrustDomain, ca: TlsPem) -> anyhow::Result<DevPki> {
    let identity = Identity::from_pem(&ca.cert, &ca.key)?;
    identity.expect(&super::ca_id(&domain))?;
    certified_key(identity)?;
    DevPki::existing(domain, ca)
}
