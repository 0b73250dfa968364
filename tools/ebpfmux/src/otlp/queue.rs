//! The queue for the receiver of `--otlp`, with a limited size.

use std::collections::VecDeque;

use super::encode::Batch;

/// Requests in the order of their creation.
pub struct Queue {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// The maximum number of bytes.
    room: usize,
}

impl Queue {
    /// An empty one.
    pub fn new(room: usize) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, room }
    }

    /// Adds a request and drops the oldest if necessary; returns the number of points dropped.
    pub fn push(&mut self, batch: Batch) -> u64 {
        self.bytes += batch.body.len();
        self.batches.push_back(batch);
        let mut dropped = 0;
        while self.bytes > self.room
            && let Some(oldest) = self.pop()
        {
            dropped += oldest.points;
        }
        dropped
    }

    /// Puts back a request if there is still room; returns the number of points dropped.
    pub fn put_back(&mut self, batch: Batch) -> u64 {
        if self.bytes + batch.body.len() > self.room {
            return batch.points;
        }
        self.bytes += batch.body.len();
        self.batches.push_front(batch);
        0
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.bytes -= batch.body.len();
        Some(batch)
    }

    /// The points of all requests.
    pub fn points(&self) -> u64 {
        self.batches.iter().map(|batch| batch.points).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let batch = |bytes: usize, points| Batch { body: vec![0; bytes], points };
        let mut queue = Queue::new(10);
        assert_eq!((queue.push(batch(4, 1)), queue.push(batch(4, 2)), queue.points()), (0, 0, 3));
        let first = queue.pop().unwrap();
        assert_eq!((first.points, queue.push(batch(4, 4))), (1, 0));
        assert_eq!(queue.put_back(first), 1, "the queue filled up before the batch was put back");
        assert_eq!((queue.push(batch(9, 8)), queue.points()), (6, 8));
        let taken = queue.pop().unwrap();
        assert_eq!((queue.put_back(taken), queue.points()), (0, 8));
        assert_eq!((queue.push(batch(11, 16)), queue.points(), queue.pop().is_none()), (24, 0, true));
    }
}
