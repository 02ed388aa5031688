//! An identity issuer for a gateway that is configured as in production: one key, its JWKS, tokens for groups.
//!
//! Not an OpenID provider: nobody signs in, nothing is served; files and tokens are made by hand. Not the issuer of
//! `curfew dev` either, whose tokens no other command takes.
//! Invariant: what a folder holds is never overwritten, so that tokens and gateways made before stay good.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, SigningKey as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::files::{Who, make_folder, read, write_new};

/// The private key, PKCS#8.
const KEY: &str = "issuer.key";
/// Name and audience.
const ABOUT: &str = "issuer.json";
/// The public key, for gateways (RFC 7517).
const JWKS: &str = "jwks.json";

/// What stands in tokens beside the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `sub`.
    pub subject: String,
    /// `name`.
    pub name: String,
    /// `groups`.
    pub groups: Vec<String>,
}

impl Person {
    /// A made-up person who is in one group and is called after it.
    pub fn in_group(group: &str) -> Self {
        let mut letters = group.chars();
        let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        Self {
            subject: format!("demo-{group}"),
            name: format!("Demo {capital}{}", letters.as_str()),
            groups: vec![group.to_owned()],
        }
    }
}

/// An issuer whose key is at hand.
pub struct Issuer {
    about: About,
    key: KeyPair,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// The issuer of `folder`, which is made if it is not there: `issuer.key`, `issuer.json`, and `jwks.json` for
    /// gateways. `public` is a further folder that gets `jwks.json` alone, for those who must not see the key.
    ///
    /// # Errors
    /// If the folder holds another issuer, half of one, or cannot be written.
    pub fn make(folder: &Path, about: About, public: Option<&Path>) -> anyhow::Result<Self> {
        let issuer = if folder.join(KEY).exists() {
            let there = Self::open(folder)?;
            if there.about != about {
                bail!(
                    "{} holds another issuer ({} for {}): take another folder, or remove that one",
                    folder.display(),
                    there.about.issuer,
                    there.about.audience
                );
            }
            there
        } else {
            make_folder(folder)?;
            let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).context("making the issuer's key")?;
            // The key last: it is what says that an issuer is here.
            keep(&folder.join(ABOUT), &json!(about).to_string(), Who::Everybody)?;
            write_new(&folder.join(KEY), &key.serialize_pem(), Who::Owner)?;
            Self { about, key }
        };
        let jwks = issuer.jwks().to_string();
        for folder in [Some(folder), public].into_iter().flatten() {
            make_folder(folder)?;
            keep(&folder.join(JWKS), &jwks, Who::Everybody)?;
        }
        Ok(issuer)
    }

    /// The issuer that [`Issuer::make`] left in `folder`.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let there = |name: &str| {
            let path = folder.join(name);
            read(&path)?.with_context(|| format!("there is no issuer here: {} is missing", path.display()))
        };
        let key = there(KEY)?;
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(&key, &rcgen::PKCS_ED25519)
            .with_context(|| format!("{} holds no Ed25519 key", folder.join(KEY).display()))?;
        let about = serde_json::from_str(&there(ABOUT)?)
            .with_context(|| format!("{} cannot be read", folder.join(ABOUT).display()))?;
        Ok(Self { about, key })
    }

    /// What stands in its tokens.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Its public key as a gateway reads it (RFC 8037 for Ed25519).
    pub fn jwks(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key_raw());
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.key_id(), "use": "sig", "alg": "EdDSA",
        }] })
    }

    /// A token for somebody, good from now on for `lifetime`.
    ///
    /// # Errors
    /// If signing fails.
    pub fn token(&self, person: &Person, lifetime: Duration) -> anyhow::Result<String> {
        let now = clock::now().timestamp();
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.key_id() });
        let claims = json!({
            "iss": self.about.issuer,
            "aud": self.about.audience,
            "sub": person.subject,
            "name": person.name,
            "groups": person.groups,
            "iat": now,
            "exp": now.saturating_add_unsigned(lifetime.as_secs()),
        });
        // JWS compact form (RFC 7515 §7.1); Ed25519 signs the text itself (RFC 8037 §3.1).
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signature = self
            .key
            .sign(format!("{header}.{claims}").as_bytes())
            .context("signing the token")?;
        Ok(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Says which key it is; a function of the key, so that a new one is another.
    fn key_id(&self) -> String {
        let bytes = self.key.public_key_raw();
        bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A fresh password in `folder/password`, and `url` with it in place of `{password}` in `folder/url`. What is there
/// stays.
///
/// # Errors
/// If `url` has no place for it, or the folder cannot be written.
pub fn make_password(folder: &Path, url: &str) -> anyhow::Result<()> {
    const PLACE: &str = "{password}";
    if !url.contains(PLACE) {
        bail!("the URL has no {PLACE} in it");
    }
    make_folder(folder)?;
    let path = folder.join("password");
    let password = match read(&path)? {
        Some(there) => there,
        None => {
            // Two random UUIDs: 244 bits, and nothing that a URL would have to escape.
            let fresh = format!("{}{}", clock::fresh_id().simple(), clock::fresh_id().simple());
            // A database server runs as a user of its own and must read it too; the folder is what keeps others out.
            write_new(&path, &fresh, Who::Everybody)?;
            fresh
        }
    };
    let url = url.replace(PLACE, password.trim_end());
    keep(&folder.join("url"), &url, Who::Everybody)
}

/// Writes a file that is not there yet; one that is there must say the same.
fn keep(path: &Path, text: &str, who: Who) -> anyhow::Result<()> {
    match read(path)? {
        None => write_new(path, text, who),
        Some(there) if there == text => Ok(()),
        Some(_) => bail!(
            "{} is there and says something else: remove it, or take another folder",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests;
