//! Requests to `--serve`.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::runtime::Runtime;

use super::exposition::declare_odd;
use crate::metrics::{Bounds, Naming, Shared};
use crate::otlp::exporters::Exporters;
use crate::record::from_json;
use crate::serve::{Access, Server, converse};
use crate::supervisor::attached::Attached;
use crate::supervisor::control::{Control, State, ToolState};

/// What gives orders, and shows command lines.
const TOKEN: &str = "5f0c6f2d9b1e4a73";
/// A part of a command line.
const SECRET: &str = "hunter2";

/// The answers that there are: those of `serve`, and hyper's own to what is no request.
const STATUSES: [u16; 13] = [200, 202, 400, 401, 403, 404, 405, 413, 414, 429, 431, 503, 505];

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// A connection's bytes: after the first byte, which says how they come and who may ask, as many requests as there are.
///
/// Every answer is one of those that there are. Who has not sent the token changes nothing and sees no command line.
pub fn requests(bytes: &[u8]) {
    declare_odd();
    let (how, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let access = match how & 1 {
        0 => Access::Loopback(Some(TOKEN.to_owned())),
        _ => Access::Token(TOKEN.to_owned()),
    };
    let control = Arc::new(control());
    let server = Arc::new(Server::new(Arc::clone(&control), access));
    let written = Arc::new(Mutex::new(Vec::new()));
    let stream =
        Stream { left: bytes.to_vec(), read: 1 + usize::from(how >> 1), written: Arc::clone(&written) };
    RUNTIME.with(|runtime| runtime.block_on(converse(stream, server)));
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    let text = String::from_utf8_lossy(&written);
    let answers = text.split("HTTP/1.").skip(1);
    for answer in answers {
        let status = answer.get(2..5).and_then(|status| status.parse().ok());
        assert!(status.is_some_and(|status| STATUSES.contains(&status)), "{answer}");
    }
    assert!(written.is_empty() || text.starts_with("HTTP/1."), "{text}");
    if !contains(bytes, TOKEN) {
        assert!(control.take_orders().is_empty(), "an order without the token");
        assert!(!contains(&written, SECRET), "{text}");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Of a record, and two tools: one runs, one has failed.
fn control() -> Control {
    let metrics = Shared::new(Bounds { series: 100, label_bytes: 256, quiet: true }, Naming::default());
    let record = br#"{"ts":"2026-11-21T06:00:00.000000Z","host":"h","tool":"proclife","interval_s":1.0,"forks":3,"lost":0}"#;
    metrics.lock().take(0, &from_json(record).expect("a record"));
    let control = Control::new(metrics, Exporters::default()).expect("an eventfd");
    let tool = |name: &str, state: State| ToolState {
        name: name.to_owned(),
        command: Some(format!("./{name} --password={SECRET}")),
        state,
        reason: Some(format!("said {SECRET}")),
        running: state == State::Running,
        enabled: true,
        seconds_left: None,
        failed: state == State::Failed,
        restarts: 3,
        hooks: vec![Attached { hook: "a\"\\\n".to_owned(), kind: "fentry".to_owned() }],
    };
    *control.tools() = vec![tool("a", State::Running), tool("b c", State::Failed)];
    control
}

/// A client that has sent all that it sends, and takes all answers.
struct Stream {
    left: Vec<u8>,
    /// How many bytes come at once.
    read: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.left.len().min(self.read).min(buffer.remaining());
        let bytes: Vec<u8> = self.left.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
