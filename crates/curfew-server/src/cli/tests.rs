//! The command line as a table. Not what the commands do. Invariant: no test reads the environment.

use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[cfg(feature = "dev")]
#[test]
fn dev_needs_nothing() {
    let Command::Dev(args) = parse("curfew dev").expect("valid").command else {
        panic!("dev")
    };
    assert_eq!(args.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(args.ops_listen().to_string(), "127.0.0.1:9464");
    assert_eq!(args.control().to_string(), "127.0.0.1:9465");
    assert_eq!((args.sessions, args.json), (200, false));

    let line = "curfew dev --listen 127.0.0.1:0 --json --sessions 5 --log debug --log-format json";
    let cli = parse(line).expect("valid");
    assert_eq!(
        (cli.log.log.as_str(), cli.log.log_format),
        ("debug", LogFormat::Json)
    );
    let Command::Dev(args) = cli.command else {
        panic!("dev")
    };
    assert_eq!(args.ops_listen().to_string(), "127.0.0.1:0");
    assert_eq!(args.control().to_string(), "127.0.0.1:0");
    assert_eq!((args.sessions, args.json), (5, true));
}

#[cfg(feature = "dev")]
#[test]
fn chaos_is_asked_of_the_dev_that_runs() {
    let chaos = |line: &str| {
        let Command::Dev(args) = parse(line).expect("valid").command else {
            panic!("dev")
        };
        match args.command {
            Some(DevCommand::Chaos(args)) => args,
            None => panic!("chaos"),
        }
    };
    let args = chaos("curfew dev chaos rds-demo hang");
    assert_eq!(
        (args.backend.as_deref(), args.chaos.as_deref()),
        (Some("rds-demo"), Some("hang"))
    );
    assert_eq!(args.control.to_string(), "127.0.0.1:9465");
    assert_eq!(
        chaos("curfew dev chaos vpn-demo off").chaos.as_deref(),
        Some("off")
    );
    let args = chaos("curfew dev chaos --control 127.0.0.1:7");
    assert_eq!((args.backend, args.control.port()), (None, 7));
    for line in [
        "curfew dev chaos rds-demo",
        "curfew dev chaos rds-demo fast",
        "curfew dev --sessions 5 chaos rds-demo hang",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "curfew fly",
        "curfew serve --config a.toml --sessions 5",
        "curfew migrate",
        "curfew migrate --config a.toml --database-url sqlite://x",
        "curfew check",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn wrong_usage_exits_with_64_and_help_with_0() {
    let code = |line: &str| run_with(line.split_whitespace().map(OsString::from));
    assert_eq!(code("curfew fly"), ExitCode::from(64));
    assert_eq!(code("curfew --version"), ExitCode::SUCCESS);
    assert_eq!(
        code("curfew serve --config /does/not/exist.toml"),
        ExitCode::from(64)
    );
}
