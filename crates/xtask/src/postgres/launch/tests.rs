//! A server that starts, answers and leaves nothing behind; skipped, aloud, where no server is installed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;
use crate::postgres::find;

#[test]
fn tests_trade_durability_for_speed_and_benchmarks_do_not() {
    let volatile = settings(Path::new("/tmp/x"), 5, Durability::Volatile);
    let durable = settings(Path::new("/tmp/x"), 5, Durability::Durable);
    assert!(volatile.contains(&"fsync=off".to_owned()));
    assert!(
        !durable
            .iter()
            .any(|it| it.starts_with("fsync") || it.starts_with("synchronous_commit"))
    );
}

#[test]
fn a_server_takes_connections_and_is_gone_when_dropped() {
    let Some(binaries) = find() else {
        eprintln!("NOT RUN: no Postgres server is installed");
        return;
    };
    let server = Server::start(&binaries, Durability::Volatile).expect("a server");
    let dir = server.dir.path().to_owned();
    let port = server.port;

    // An SSLRequest: a server that has no certificate answers `N`.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).expect("sent");
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"N");

    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dir.exists());
}

#[test]
fn what_postgres_says_is_shown_when_it_does_not_start() {
    let Some(mut binaries) = find() else {
        eprintln!("NOT RUN: no Postgres server is installed");
        return;
    };
    binaries.postgres = PathBuf::from("/bin/false");
    let error = Server::start(&binaries, Durability::Volatile)
        .err()
        .expect("an error");
    assert!(error.to_string().contains("ended while starting"), "{error}");
}
