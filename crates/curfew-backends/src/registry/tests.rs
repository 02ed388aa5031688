//! Configurations, right and wrong.

use std::path::Path;

use curfew_core::fakes::MockClock;

use super::*;
use crate::citrix::tests::install_provider;

const CLOUD: &str = "id = 'citrix-eu'\nkind = 'citrix'\nflavour = 'cloud'\ncustomer = 'acme'\nclient_id = 'id'\nclient_secret = 'hunter2'\n";
const ON_PREM: &str = "id = 'ddc'\nkind = 'citrix'\nflavour = 'on-prem'\nurl = 'https://ddc01.corp.example'\nusername = 'CORP\\ctx'\npassword = 'hunter2'\n";

/// `ok`, or everything that is said about what is wrong.
fn built(text: &str) -> String {
    install_provider();
    let config: BackendConfig = match toml::from_str(text) {
        Ok(config) => config,
        Err(error) => return error.message().to_owned(),
    };
    let deps = Deps {
        clock: Arc::new(MockClock::default()),
    };
    let error = match build(&config, &deps) {
        Ok(backend) => return format!("ok {}", backend.id()),
        Err(error) => error,
    };
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    said
}

#[test]
fn good_configurations_build() {
    assert_eq!(built(CLOUD), "ok citrix-eu");
    assert_eq!(built(ON_PREM), "ok ddc");
    for region in ["global", "us", "eu", "ap-s", "jp"] {
        assert_eq!(built(&format!("{CLOUD}region = '{region}'")), "ok citrix-eu");
    }
    let all = "url = 'https://gateway.corp.example:8443/citrix/'\nsite = '22ded57c-0306-47e4-b6e8-fed6252759e1'\n\
               zone_less_dates = 'utc'\nrefresh_seconds = 30\npage_size = 250\nact_timeout_seconds = 5";
    assert_eq!(built(&format!("{CLOUD}{all}")), "ok citrix-eu");
}

#[test]
fn wrong_configurations_are_told_what_is_wrong() {
    let without = |text: &str, key: &str| -> String {
        text.lines()
            .filter(|line| !line.starts_with(key))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let said = [
        built(&format!("{CLOUD}colour = 'red'")),
        built(&CLOUD.replace("citrix'", "vmware'")),
        built(&without(CLOUD, "kind")),
        built(&CLOUD.replace("'citrix-eu'", "'Citrix EU'")),
        built(&CLOUD.replace("'cloud'", "'hybrid'")),
        built(&without(CLOUD, "customer")),
        built(&without(CLOUD, "client_id")),
        built(&without(CLOUD, "client_secret")),
        built(&format!("{CLOUD}username = 'x'")),
        built(&format!("{CLOUD}region = 'mars'")),
        built(&format!("{CLOUD}region = 'gov'")),
        built(&CLOUD.replace("'acme'", "'acme/../x'")),
        built(&CLOUD.replace("'hunter2'", "'env:SECRET'")),
        built(&CLOUD.replace("'hunter2'", "''")),
        built(&without(ON_PREM, "url")),
        built(&without(ON_PREM, "username")),
        built(&format!("{ON_PREM}customer = 'acme'")),
        built(&format!("{ON_PREM}region = 'eu'")),
        built(&ON_PREM.replace("CORP\\ctx", "CORP:ctx")),
        built(&ON_PREM.replace("https:", "http:")),
        built(&ON_PREM.replace("ddc01.corp.example", "127.0.0.1")),
        built(&ON_PREM.replace("ddc01.corp.example", "169.254.169.254")),
        built(&format!("{ON_PREM}site = 'a b'")),
        built(&format!("{ON_PREM}page_size = 1001")),
        built(&format!("{ON_PREM}refresh_seconds = 1")),
        built(&format!("{ON_PREM}act_timeout_seconds = 60")),
        built(&format!("{ON_PREM}zone_less_dates = 'Europe/Berlin'")),
        built(&format!("{ON_PREM}ca = 'no pem'")),
    ];
    insta::assert_snapshot!(said.join("\n"));
    assert!(said.iter().all(|text| !text.contains("hunter2")));
}

fn origin(config: BackendConfig) -> String {
    match config {
        BackendConfig::Citrix(config) => config.origin(),
        other => panic!("{other:?} is no Citrix site"),
    }
}

#[test]
fn every_cloud_region_has_its_own_host() {
    let hosts: Vec<String> = ["global", "us", "eu", "ap-s", "jp"]
        .iter()
        .map(|region| {
            let config: BackendConfig =
                toml::from_str(&format!("{CLOUD}region = '{region}'")).expect("it reads");
            origin(config)
        })
        .collect();
    assert_eq!(origin(toml::from_str(CLOUD).expect("it reads")), hosts[0]);
    insta::assert_snapshot!(hosts.join("\n"), @r"
    https://api.cloud.com
    https://api-us.cloud.com
    https://api-eu.cloud.com
    https://api-ap-s.cloud.com
    https://api.citrixcloud.jp
    ");
}

#[test]
fn secrets_are_looked_up_and_never_printed() {
    struct House;
    impl SecretSource for House {
        fn env(&self, name: &str) -> Option<String> {
            (name == "CITRIX_SECRET").then(|| "hunter2".to_owned())
        }
        fn file(&self, path: &Path) -> std::io::Result<String> {
            match path.to_str() {
                Some("/run/id") => Ok("client\n".to_owned()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }
    let text = CLOUD
        .replace("'hunter2'", "'env:CITRIX_SECRET'")
        .replace("'id'", "'file:/run/id'");
    let config: BackendConfig = toml::from_str(&text).expect("it reads");
    assert!(format!("{config:?}").contains("env:CITRIX_SECRET"));
    let config = config.resolved(&House).expect("it is looked up");
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("client\""),
        "{shown}"
    );
    assert_eq!(config.refresh_interval(), Duration::from_secs(15));
    assert_eq!(config.kind(), BackendKind::Citrix);

    let missing: BackendConfig = toml::from_str(&text.replace("/run/id", "/run/no")).expect("it reads");
    let error = missing.resolved(&House).expect_err("it leads nowhere");
    assert_eq!(error.to_string(), "the file `/run/no` cannot be read");
}
