//! Where something stands in a file.

use std::path::{Path, PathBuf};

use cli::exit::Failure;

/// The lines of a file.
pub struct Place {
    path: PathBuf,
    /// The offset behind each line.
    ends: Vec<usize>,
}

impl Place {
    /// Of a file with this text.
    pub fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), ends: text.match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    /// Bad usage: what is wrong at this offset.
    pub fn failure(&self, at: usize, message: &str) -> Failure {
        let line = self.ends.partition_point(|end| *end <= at) + 1;
        // A message of the parser may have several lines.
        let message = message.split('\n').collect::<Vec<_>>().join(": ");
        Failure::usage(format!("{}:{line}: {message}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let place = Place::new(Path::new("f"), "a\nbc\n\nd");
        for (at, line) in [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (6, 4), (99, 4)] {
            assert_eq!(place.failure(at, "x").message, format!("f:{line}: x"));
        }
    }
}
