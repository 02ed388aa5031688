//! Connections to Postgres, kept between statements.
//!
//! Not sqlx's pool: that one asks a connection whether it still lives each time it comes back, and there is no
//! switch for it. A statement here is a whole transaction in one round trip, so that question would double them.
//! Invariant: a connection is kept only if its last statement was answered to the end; any other is closed.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// A connection that was idle for longer is asked whether it still lives before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// How long that may take.
const PING: Duration = Duration::from_millis(500);

/// A connection that is older is not kept, so that after a change of servers the gateway comes to the new one.
const LIFETIME: Duration = Duration::from_secs(1800);

/// How long closing waits for connections that are in use.
const CLOSE: Duration = Duration::from_secs(10);

pub(crate) struct Connections {
    options: PgConnectOptions,
    most: u32,
    wait: Duration,
    permits: Semaphore,
    /// The one that came back last is taken first.
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: PgConnection,
    made: Instant,
    since: Instant,
}

/// A connection in use. It is closed when it is dropped, unless it is given back.
pub(crate) struct Held<'a> {
    connection: PgConnection,
    made: Instant,
    home: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    /// At most `most` connections, each waited for no longer than `wait`. None is made yet.
    pub fn new(options: PgConnectOptions, most: u32, wait: Duration) -> Self {
        Self {
            options,
            most: most.max(1),
            wait,
            permits: Semaphore::new(most.max(1) as usize),
            idle: Mutex::default(),
        }
    }

    /// A connection that was used just now, or answers.
    ///
    /// # Errors
    /// If there is none in time, or the server refuses.
    pub async fn acquire(&self) -> Result<Held<'_>, sqlx::Error> {
        let acquired = timeout(self.wait, self.acquire_without_limit()).await;
        acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn acquire_without_limit(&self) -> Result<Held<'_>, sqlx::Error> {
        let permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let held = |connection, made| Held {
            connection,
            made,
            home: self,
            _permit: permit,
        };
        while let Some(mut kept) = self.pop() {
            if kept.since.elapsed() < FRESH {
                return Ok(held(kept.connection, kept.made));
            }
            match timeout(PING, kept.connection.ping()).await {
                Ok(Ok(())) => return Ok(held(kept.connection, kept.made)),
                // Those that are left were idle for even longer; asking each would take up the caller's time.
                _ => self.idle.lock().clear(),
            }
        }
        Ok(held(self.options.connect().await?, Instant::now()))
    }

    fn pop(&self) -> Option<Kept> {
        self.idle.lock().pop()
    }

    /// Waits for what is in use, and closes everything.
    pub async fn close(&self) {
        _ = timeout(CLOSE, self.permits.acquire_many(self.most)).await;
        self.permits.close();
        while let Some(kept) = self.pop() {
            _ = timeout(PING, kept.connection.close()).await;
        }
    }
}

impl Held<'_> {
    /// Gives the connection back for others to use.
    pub fn keep(self) {
        if self.made.elapsed() < LIFETIME && !self.home.permits.is_closed() {
            self.home.idle.lock().push(Kept {
                connection: self.connection,
                made: self.made,
                since: Instant::now(),
            });
        }
    }
}

impl Deref for Held<'_> {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
