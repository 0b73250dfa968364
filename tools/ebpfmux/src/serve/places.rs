//! The places for connections: so many at once, of which the one that has stood still the longest makes room for a new one.
//! Thus a client that only holds places does not keep a scrape from being served, and of many that come at once each has its
//! turn.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A connection that has stood still for less time is not taken its place.
const TURN: Duration = Duration::from_millis(50);

/// The connections that are open.
pub struct Places {
    began: Instant,
    most: usize,
    taken: Mutex<Taken>,
    /// A connection has left its place.
    left: Notify,
}

#[derive(Default)]
struct Taken {
    next: u64,
    open: HashMap<u64, Place>,
}

struct Place {
    moved: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Places {
    /// For so many connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), most, taken: Mutex::default(), left: Notify::new() })
    }

    /// Waits until there is room for a connection.
    pub async fn room(&self) {
        while self.taken().open.len() >= self.most {
            if let Some(rest) = self.evict_idlest(TURN) {
                // Whichever comes first: one leaves, or the idlest has had its turn.
                let _ = tokio::time::timeout(rest, self.left.notified()).await;
            }
        }
    }

    /// Serves a connection in a task of its own.
    pub fn admit<F>(self: &Arc<Self>, stream: TcpStream, serve: impl FnOnce(Watched) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let moved = Arc::new(AtomicU64::new(self.now()));
        let served =
            serve(Watched { stream: TokioIo::new(stream), moved: Arc::clone(&moved), began: self.began });
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        let left = Left { places: Arc::clone(self), number };
        let task = tokio::spawn(async move {
            let _left = left;
            served.await;
        });
        taken.open.insert(number, Place { moved, task: task.abort_handle() });
    }

    /// Ends the connection on which nothing has moved for the longest time, if that is as long as this; else returns what
    /// is left of this time, of which there is some.
    pub fn evict_idlest(&self, least: Duration) -> Option<Duration> {
        let mut taken = self.taken();
        let of = |place: &Place| place.moved.load(Ordering::Relaxed);
        let (number, moved) = taken
            .open
            .iter()
            .map(|(number, place)| (*number, of(place)))
            .min_by_key(|(number, moved)| (*moved, *number))?;
        let still = Duration::from_nanos(self.now().saturating_sub(moved));
        if still < least {
            return Some(least - still);
        }
        let place = taken.open.remove(&number);
        drop(taken);
        place.iter().for_each(|place| place.task.abort());
        None
    }

    /// Ends those on which nothing has moved for so long.
    pub fn evict_idle(&self, longest: Duration) {
        let since = self.now().saturating_sub(longest.as_nanos() as u64);
        let still = self
            .taken()
            .open
            .extract_if(|_, place| place.moved.load(Ordering::Relaxed) < since)
            .collect::<Vec<_>>();
        still.iter().for_each(|(_, place)| place.task.abort());
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the place back when the connection's task ends, however it does.
struct Left {
    places: Arc<Places>,
    number: u64,
}

impl Drop for Left {
    fn drop(&mut self) {
        let place = self.places.taken().open.remove(&self.number);
        drop(place);
        self.places.left.notify_one();
    }
}

/// A connection that remembers when bytes last came or went.
pub struct Watched {
    stream: TokioIo<TcpStream>,
    moved: Arc<AtomicU64>,
    began: Instant,
}

impl Watched {
    fn seen<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(outcome, Poll::Ready(Ok(_))) {
            self.moved.store(self.began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        outcome
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.seen(outcome)
    }
}

impl Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.seen(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.seen(outcome)
    }
}
