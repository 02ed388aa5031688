//! What the agent asks of the system it runs on: the port, its rows and its errors.
//!
//! Not here: which rows are users' sessions, what may be done to them (`rows`, `policy`). A platform decides nothing.
//! Invariant: a failure is an error, never an empty list.

mod error;
mod fake;
mod session;

use curfew_agent_api::Message;

pub use error::{PlatformError, PlatformErrorKind};
pub use fake::{FakeAct, FakeCall, FakePlatform, FakeVerb, Held};
pub(crate) use session::filled;
pub use session::{WtsSession, WtsState, filetime, from_filetime};

/// Remote Desktop Services of one host. Every method may block; the agent calls them on blocking threads.
pub trait Platform: Send + Sync + 'static {
    /// What it is: `windows` or `fake`.
    fn name(&self) -> &'static str;

    /// Every row that the host has, also session 0, listeners and rows without a user. A row whose details are gone
    /// by the time they are read is left out.
    ///
    /// # Errors
    /// [`PlatformError`] if the host's sessions cannot be told completely.
    fn list(&self) -> Result<Vec<WtsSession>, PlatformError>;

    /// One row; `None` if no session has the number.
    ///
    /// # Errors
    /// [`PlatformError`] if that cannot be told.
    fn get(&self, number: u32) -> Result<Option<WtsSession>, PlatformError>;

    /// Takes the client away; the session and its programs go on.
    ///
    /// # Errors
    /// [`PlatformError`], with [`PlatformErrorKind::NotFound`] if the session has ended.
    fn disconnect(&self, number: u32) -> Result<(), PlatformError>;

    /// Begins to end the session, and does not wait for its end (`WTSLogoffSession` with `bWait` = `FALSE`).
    ///
    /// # Errors
    /// As [`Platform::disconnect`].
    fn logoff(&self, number: u32) -> Result<(), PlatformError>;

    /// Shows a box on the session's desktop, and does not wait for an answer.
    ///
    /// # Errors
    /// As [`Platform::disconnect`].
    fn message(&self, number: u32, message: &Message) -> Result<(), PlatformError>;
}
