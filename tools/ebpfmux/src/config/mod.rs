//! `--config FILE`: all that a command line can say, in TOML. Each error names the file and the line.

mod hangup;
mod keys;
mod place;
pub mod reload;
mod run;
mod suggest;
mod value;

use std::path::{Path, PathBuf};

use cli::exit::{Failure, Result};
use toml::de::DeTable;

use crate::supervisor::planned::Planned;
use keys::Said;
use place::Place;

/// What a file says.
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// The commands of `[[run]]`, each with a name that no other has.
    pub commands: Vec<Planned>,
    /// All other options.
    said: Vec<Said>,
    /// Where the lines begin, for errors that are found later.
    place: Place,
}

impl Config {
    /// Reads a file, and asks each tool whether it takes its options.
    ///
    /// # Errors
    /// Bad usage, with the line: no TOML, an unknown key, a value that its option does not take.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--config: cannot read {}: {error}", path.display())))?;
        let place = Place::new(path, &text);
        let table = DeTable::parse(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            place.failure(at, error.message())
        })?;
        let (said, runs, lifetime) = keys::read(table.get_ref(), &place)?;
        let commands = run::read(runs, lifetime, &place)?;
        Ok(Self { path: path.to_owned(), commands, said, place })
    }

    /// The options as words of a command line, without the commands, and without the key of one number.
    pub fn words(&self, without: Option<usize>) -> impl Iterator<Item = &str> {
        let of = move |files: bool| {
            let keys = self.said.iter().enumerate().filter(move |(number, _)| Some(*number) != without);
            let said = keys.map(|(_, said)| said).filter(move |said| said.option.is_empty() == files);
            said.flat_map(|said| &said.words).map(String::as_str)
        };
        // The names of files come last.
        of(false).chain(of(true))
    }

    /// The number of keys.
    pub fn keys(&self) -> usize {
        self.said.len()
    }

    /// The number of the key that says this option (`--window`).
    pub fn key_of(&self, option: &str) -> Option<usize> {
        self.said.iter().position(|said| said.option == option)
    }

    /// Bad usage that the key of this number is the reason of.
    pub fn failure(&self, key: Option<usize>, message: &str) -> Failure {
        match key.and_then(|key| self.said.get(key)) {
            Some(said) => self.place.failure(said.at, message),
            None => Failure::usage(format!("{}: {message}", self.path.display())),
        }
    }

    /// The keys, `[[run]]` apart, of which another version of the file says something else.
    fn differing(&self, other: &Self) -> Vec<String> {
        let missing = |from: &Self, one: &Said| !from.said.iter().any(|said| said.words == one.words);
        let gone = self.said.iter().filter(|one| missing(other, one));
        let new = other.said.iter().filter(|one| missing(self, one));
        let mut keys: Vec<String> = gone.chain(new).map(|said| said.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
