//! Who is let in by whom: handshakes in memory, each side with the certificate that a test gives it.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{ClientConnection, ServerConnection};

use super::*;

/// An authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate is to say.
struct Wanted<'a> {
    uris: &'a [&'a str],
    dns: &'a [&'a str],
    uses: &'a [ExtendedKeyUsagePurpose],
    expired: bool,
}

const BOTH: &[ExtendedKeyUsagePurpose] = &[
    ExtendedKeyUsagePurpose::ClientAuth,
    ExtendedKeyUsagePurpose::ServerAuth,
];
const GATEWAY: &str = "spiffe://corp.example/gateway";
const TERM04: &str = "spiffe://corp.example/agent/term04";

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "agents");
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn issue(&self, wanted: &Wanted<'_>) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for uri in wanted.uris {
            let uri = (*uri).try_into().expect("an IA5 string");
            params.subject_alt_names.push(SanType::URI(uri));
        }
        for name in wanted.dns {
            let name = (*name).try_into().expect("an IA5 string");
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.extended_key_usages = wanted.uses.to_vec();
        if wanted.expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Identity::from_pem(&cert.pem(), &key.serialize_pem()).expect("it reads")
    }

    fn named(&self, uri: &str) -> Identity {
        self.issue(&Wanted {
            uris: &[uri],
            ..Wanted::default()
        })
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            uris: &[],
            dns: &["term04"],
            uses: BOTH,
            expired: false,
        }
    }
}

fn domain() -> TrustDomain {
    TrustDomain::parse("corp.example").expect("a trust domain")
}

/// What each side says at the end of a handshake; `Ok` if it stands for both.
fn meet(client: ClientConfig, server: ServerConfig, host: &str) -> Result<(), String> {
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory");
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("memory");
            if let Err(error) = server.process_new_packets() {
                return Err(format!("the agent: {error}"));
            }
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory");
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("memory");
            if let Err(error) = client.process_new_packets() {
                return Err(format!("the gateway: {error}"));
            }
        }
    }
    if client.is_handshaking() || server.is_handshaking() {
        return Err("the handshake does not end".to_owned());
    }
    Ok(())
}

/// A gateway with this certificate, calling TERM04, which has that one.
fn call(authority: &Authority, gateway: Identity, agent: Identity) -> Result<(), String> {
    let client = gateway_config(&domain(), &authority.pem(), gateway).expect("the gateway's side");
    let server = agent_config(&domain(), &authority.pem(), agent).expect("the agent's side");
    meet(client, server, "term04")
}

#[test]
fn a_gateway_and_the_agent_it_means_stand() {
    let authority = Authority::new();
    assert_eq!(
        call(&authority, authority.named(GATEWAY), authority.named(TERM04)),
        Ok(())
    );
}

#[test]
fn a_gateway_connects_to_nobody_but_the_agent_it_means() {
    let authority = Authority::new();
    let wrong: Vec<(&str, Identity)> = vec![
        (
            "another host",
            authority.named("spiffe://corp.example/agent/term05"),
        ),
        ("a gateway", authority.named(GATEWAY)),
        (
            "another trust domain",
            authority.named("spiffe://lab.example/agent/term04"),
        ),
        (
            "no URI, and the right DNS name",
            authority.issue(&Wanted::default()),
        ),
        (
            "two URIs, one of them right",
            authority.issue(&Wanted {
                uris: &[TERM04, "spiffe://corp.example/agent/term05"],
                ..Wanted::default()
            }),
        ),
        (
            "expired",
            authority.issue(&Wanted {
                uris: &[TERM04],
                expired: true,
                ..Wanted::default()
            }),
        ),
        (
            "made for clients",
            authority.issue(&Wanted {
                uris: &[TERM04],
                uses: &[ExtendedKeyUsagePurpose::ClientAuth],
                ..Wanted::default()
            }),
        ),
        ("another authority", Authority::new().named(TERM04)),
    ];
    for (what, agent) in wrong {
        let met = call(&authority, authority.named(GATEWAY), agent);
        assert!(
            met.as_ref()
                .is_err_and(|why| why.starts_with("the gateway: invalid peer certificate")),
            "{what}: {met:?}"
        );
    }
}

#[test]
fn an_agent_lets_in_nobody_but_a_gateway() {
    let authority = Authority::new();
    let wrong: Vec<(&str, Identity)> = vec![
        ("an agent", authority.named("spiffe://corp.example/agent/term05")),
        ("itself", authority.named(TERM04)),
        (
            "another trust domain",
            authority.named("spiffe://lab.example/gateway"),
        ),
        (
            "a longer path",
            authority.named("spiffe://corp.example/gateway/2"),
        ),
        ("no URI", authority.issue(&Wanted::default())),
        (
            "two URIs, one of them right",
            authority.issue(&Wanted {
                uris: &[GATEWAY, TERM04],
                ..Wanted::default()
            }),
        ),
        (
            "expired",
            authority.issue(&Wanted {
                uris: &[GATEWAY],
                expired: true,
                ..Wanted::default()
            }),
        ),
        (
            "made for servers",
            authority.issue(&Wanted {
                uris: &[GATEWAY],
                uses: &[ExtendedKeyUsagePurpose::ServerAuth],
                ..Wanted::default()
            }),
        ),
        ("another authority", Authority::new().named(GATEWAY)),
    ];
    for (what, gateway) in wrong {
        let met = call(&authority, gateway, authority.named(TERM04));
        assert!(
            met.as_ref()
                .is_err_and(|why| why.starts_with("the agent: invalid peer certificate")),
            "{what}: {met:?}"
        );
    }
    let nobody = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots(&authority.pem()).expect("roots"))
        .with_no_client_auth();
    let server =
        agent_config(&domain(), &authority.pem(), authority.named(TERM04)).expect("the agent's side");
    let met = meet(nobody, server, "term04");
    assert!(
        met.as_ref()
            .is_err_and(|why| why.contains("sent no certificates")),
        "{met:?}"
    );
}

#[test]
fn nothing_older_than_tls_1_3_is_spoken() {
    let authority = Authority::new();
    let old = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("TLS 1.2")
        .with_root_certificates(roots(&authority.pem()).expect("roots"))
        .with_no_client_auth();
    let server =
        agent_config(&domain(), &authority.pem(), authority.named(TERM04)).expect("the agent's side");
    let met = meet(old, server, "term04");
    assert!(
        met.as_ref()
            .is_err_and(|why| why.starts_with("the agent: peer is incompatible")),
        "{met:?}"
    );
}

#[test]
fn a_mix_up_shows_before_the_first_call() {
    let authority = Authority::new();
    let error = authority
        .named(TERM04)
        .expect(GATEWAY)
        .expect_err("it is an agent's");
    assert_eq!(
        error.to_string(),
        "the certificate is that of spiffe://corp.example/agent/term04, not of `spiffe://corp.example/gateway`"
    );
    assert!(authority.named(GATEWAY).expect(GATEWAY).is_ok());
    assert!(Identity::from_pem("", "").is_err());
    let other = KeyPair::generate().expect("a key").serialize_pem();
    let cert = {
        let params = CertificateParams::new(vec!["term04".to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        params.signed_by(&key, &authority.0).expect("a certificate").pem()
    };
    let mixed = Identity::from_pem(&cert, &other).expect("both read");
    let error = agent_config(&domain(), &authority.pem(), mixed).expect_err("they do not belong together");
    assert_eq!(
        error.to_string(),
        "the certificate and the key do not belong together"
    );
}

#[test]
fn a_certificate_is_that_of_its_authority_and_of_no_other() {
    let [authority, other] = [Authority::new(), Authority::new()];
    let identity = authority.named(TERM04);
    let now = identity.ends_at().expect("its end") - 1;
    let checked = |ca: &Authority, now| {
        identity
            .check_issuer(&ca.pem(), now)
            .map_err(|error| error.to_string())
    };
    assert_eq!(checked(&authority, now), Ok(()));
    let untrusted = Err(TlsError::Untrusted(Error::General(String::new())).to_string());
    assert_eq!(checked(&other, now), untrusted);
    assert_eq!(checked(&authority, now + 2), untrusted, "it has ended");
    let client = authority.issue(&Wanted {
        uris: &[TERM04],
        uses: &[ExtendedKeyUsagePurpose::ClientAuth],
        ..Wanted::default()
    });
    assert!(
        client.check_issuer(&authority.pem(), now).is_err(),
        "gateways refuse it"
    );
}
