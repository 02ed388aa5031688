//! A network between the gateway and its database that breaks when it is told to.
//!
//! Knows nothing of the protocol but a text to look for in what the gateway sends. Invariant: what it is told to
//! break is broken when the call returns; what has passed has passed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Carries everything.
    Open,
    /// Closes every connection, and each new one at once.
    Cut,
    /// Keeps every connection and carries nothing.
    Silent,
}

/// When the network breaks by itself: at the first request that holds a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// The request does not arrive, and everything stays down.
    LoseRequest,
    /// The request arrives and is answered; the answer is lost, that connection with it, and no other.
    LoseAnswer,
    /// The same, and everything stays down.
    LoseAnswerAndStayDown,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    trip: Mutex<Option<(Vec<u8>, Trip)>>,
    tripped: watch::Sender<usize>,
}

/// A proxy on loopback.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server that `url` names.
    ///
    /// # Panics
    /// If `url` names no host and port.
    pub async fn before(url: &str) -> Self {
        let url = Url::parse(url).expect("a URL");
        let upstream = format!(
            "{}:{}",
            url.host_str().expect("a host"),
            url.port().unwrap_or(5432)
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Open),
            trip: Mutex::new(None),
            tripped: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, upstream, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    /// `url`, by way of this proxy.
    ///
    /// # Panics
    /// If it is no URL with a host.
    pub fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        url.to_string()
    }

    /// Closes every connection, and each new one at once.
    pub fn cut(&self) {
        self.shared.mode.send_replace(Mode::Cut);
    }

    /// Keeps every connection, and carries nothing any more.
    pub fn silence(&self) {
        self.shared.mode.send_replace(Mode::Silent);
    }

    /// Carries everything (again). Connections that were silent stay so; new ones work.
    pub fn restore(&self) {
        *self.shared.trip.lock() = None;
        self.shared.mode.send_replace(Mode::Open);
    }

    /// Breaks at the first request that holds `text`.
    pub fn trip_at(&self, text: &str, trip: Trip) {
        *self.shared.trip.lock() = Some((text.as_bytes().to_vec(), trip));
    }

    /// Waits until it has tripped, or been closed.
    pub async fn tripped(&self) {
        let mut tripped = self.shared.tripped.subscribe();
        // An error means that the proxy is gone.
        let _ = tripped.wait_for(|times| *times > 0).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: String, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        let shared = Arc::clone(&shared);
        let upstream = upstream.clone();
        tokio::spawn(async move {
            let mut mode = shared.mode.subscribe();
            if *mode.borrow_and_update() == Mode::Cut {
                return;
            }
            if let Ok(server) = TcpStream::connect(&upstream).await {
                carry(client, server, mode, &shared).await;
            }
        });
    }
}

/// Carries one connection until it ends or is cut.
async fn carry(client: TcpStream, server: TcpStream, mut mode: watch::Receiver<Mode>, shared: &Shared) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the next answer on this connection is to be lost, and how.
    let lose = Mutex::new(None);
    let up = upwards(from_client, to_server, mode.clone(), shared, &lose);
    let down = downwards(from_server, to_client, mode.clone(), shared, &lose);
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

/// `None` at the end; waits for ever while the network is silent.
async fn read<'a>(
    from: &mut OwnedReadHalf,
    buffer: &'a mut [u8],
    mode: &mut watch::Receiver<Mode>,
) -> Option<&'a [u8]> {
    let length = from.read(buffer).await.ok().filter(|it| *it > 0)?;
    if *mode.borrow_and_update() == Mode::Silent {
        std::future::pending::<()>().await;
    }
    Some(&buffer[..length])
}

async fn upwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    shared: &Shared,
    lose: &Mutex<Option<Trip>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Some(bytes) = read(&mut from, &mut buffer, &mut mode).await {
        let trip = {
            let mut trip = shared.trip.lock();
            let hit = trip
                .as_ref()
                .is_some_and(|(text, _)| bytes.windows(text.len()).any(|it| it == text));
            if hit {
                trip.take().map(|(_, trip)| trip)
            } else {
                None
            }
        };
        match trip {
            Some(Trip::LoseRequest) => {
                shared.mode.send_replace(Mode::Cut);
                shared.tripped.send_modify(|times| *times += 1);
                return;
            }
            Some(trip) => *lose.lock() = Some(trip),
            None => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn downwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    shared: &Shared,
    lose: &Mutex<Option<Trip>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Some(bytes) = read(&mut from, &mut buffer, &mut mode).await {
        let lost = lose.lock().take();
        if let Some(trip) = lost {
            if trip == Trip::LoseAnswerAndStayDown {
                shared.mode.send_replace(Mode::Cut);
            }
            shared.tripped.send_modify(|times| *times += 1);
            return;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
