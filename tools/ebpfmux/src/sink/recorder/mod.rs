//! `--record`: the merged stream on disk, compressed, in files that follow one another.
//!
//! Each file is a sequence of zstd frames of complete records in NDJSON. A separate thread writes
//! and flushes them, so that at most the last second is lost if the process is killed, even while
//! the reader of stdout stalls.

mod folder;
mod part;
mod queue;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use cli::exit::{Exit, Failure, Result};
use cli::shortage;

use folder::{Folder, refused};
use queue::{Queue, Taken};
use writer::Writer;

/// When the next file is begun, and how many are kept.
#[derive(Clone, Copy)]
pub struct Rotation {
    /// The size on disk at which a file is full.
    pub bytes: u64,
    /// The time after which the next file is begun.
    pub age: Duration,
    /// The maximum number of files; the oldest are removed.
    pub keep: Option<usize>,
}

/// The current recording.
pub struct Recorder {
    queue: Arc<Queue>,
    /// `None` after its end.
    thread: Option<JoinHandle<Result<()>>>,
}

impl Recorder {
    /// Records into a folder, which is created if it does not exist; an existing recording is
    /// continued.
    ///
    /// # Errors
    /// If the folder cannot be used, or another process records into it.
    pub fn new(path: &Path, rotation: Rotation) -> Result<Self> {
        let folder = Folder::new(path, rotation.keep)?;
        // An unwritable folder is reported at once, not with the first record.
        let writer = Writer::new(folder, rotation).map_err(|error| refused(path, &error))?;
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        let thread = Builder::new()
            .name("record".into())
            .spawn(move || work(&taken, writer))
            .map_err(|error| shortage::failure(Exit::Failed, "--record: cannot start a thread", &error))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Adds complete records, as lines. Blocks while the disk is slow, but not while it is full.
    pub fn push(&self, lines: &[u8]) {
        self.queue.push(lines);
    }

    /// Ends the recording and syncs it to disk.
    ///
    /// # Errors
    /// Status 1 if that fails, or records are missing.
    pub fn end(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        self.queue.end();
        let outcome = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        outcome
            .unwrap_or_else(|_| Err(Failure::failed("--record: its thread ended early; records are missing")))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The merge has not begun; the failure that ends the process is reported elsewhere.
        let _ = self.join();
    }
}

fn work(queue: &Queue, mut writer: Writer) -> Result<()> {
    // A blocked push continues, however this thread ends.
    let _gone = queue.gone();
    let mut lines = Vec::new();
    loop {
        match queue.take(writer.due(), &mut lines) {
            Taken::Lines => writer.push(&lines),
            Taken::Nothing => {}
            Taken::End => return writer.finish(),
        }
        writer.flush();
    }
}
