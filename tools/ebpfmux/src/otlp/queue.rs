//! The queue for the receiver of `--otlp`, with a limited size.

use std::collections::VecDeque;

use super::batch::Batch;

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

    /// Adds a request and drops the oldest if necessary; returns the number of items dropped.
    pub fn push(&mut self, batch: Batch) -> u64 {
        self.bytes += batch.body.len();
        self.batches.push_back(batch);
        let mut dropped = 0;
        while self.bytes > self.room
            && let Some(oldest) = self.pop()
        {
            dropped += oldest.items;
        }
        dropped
    }

    /// Puts back a request if there is still room; returns the number of items dropped.
    pub fn put_back(&mut self, batch: Batch) -> u64 {
        if self.bytes + batch.body.len() > self.room {
            return batch.items;
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

    /// The items of all requests.
    pub fn items(&self) -> u64 {
        self.batches.iter().map(|batch| batch.items).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let batch = |bytes: usize, items| Batch { body: vec![0; bytes], items };
        let mut queue = Queue::new(10);
        assert_eq!((queue.push(batch(4, 1)), queue.push(batch(4, 2)), queue.items()), (0, 0, 3));
        let first = queue.pop().unwrap();
        assert_eq!((first.items, queue.push(batch(4, 4))), (1, 0));
        assert_eq!(queue.put_back(first), 1, "the queue filled up before the batch was put back");
        assert_eq!((queue.push(batch(9, 8)), queue.items()), (6, 8));
        let taken = queue.pop().unwrap();
        assert_eq!((queue.put_back(taken), queue.items()), (0, 8));
        assert_eq!((queue.push(batch(11, 16)), queue.items(), queue.pop().is_none()), (24, 0, true));
    }
}
