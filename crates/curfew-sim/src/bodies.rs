//! Bodies of answers that something went wrong with.
//!
//! Invariant: a broken body breaks in the middle, after its head has gone out.

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::StatusCode;

/// A page of HTML, as a proxy or a portal answers in a server's place.
pub(crate) fn html(status: StatusCode) -> String {
    format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
         <hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
    )
}

/// The first half, then the connection breaks. The caller says by `Content-Length` what was promised.
pub(crate) fn half(bytes: &Bytes) -> Body {
    let start = bytes.slice(..bytes.len() / 2);
    let broken = async {
        // The server writes out what it has when the body makes it wait; so the head and the half arrive.
        tokio::task::yield_now().await;
        Err(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "the answer breaks off here",
        ))
    };
    Body::from_stream(stream::once(async { Ok(start) }).chain(stream::once(broken)))
}

/// A list whose rows never end.
pub(crate) fn endless(start: &'static str, row: &str) -> Body {
    let chunk = Bytes::from(row.repeat(1024));
    let chunks = std::iter::once(Bytes::from_static(start.as_bytes())).chain(std::iter::repeat(chunk));
    Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)))
}
