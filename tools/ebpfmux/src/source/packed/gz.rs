//! Reads a gzip file of one or more members.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek};

use flate2::bufread::MultiGzDecoder;

use super::{Fault, Step};

/// The beginning of a member (RFC 1952, 2.3.1): the identification, and deflate as the method.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// A reader of a gzip file.
pub struct Gz {
    decoder: MultiGzDecoder<BufReader<File>>,
    ended: bool,
}

impl Gz {
    /// Reads a file from its current offset.
    pub fn new(file: File) -> Self {
        Self { decoder: MultiGzDecoder::new(BufReader::new(file)), ended: false }
    }

    /// Continues reading. Nothing can be read after a fault.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&mut self, out: &mut [u8]) -> io::Result<Step> {
        if self.ended {
            return Ok(Step::End);
        }
        let error = match self.decoder.read(out) {
            Ok(0) => return Ok(Step::End),
            Ok(count) => return Ok(Step::Bytes(count)),
            Err(error) => error,
        };
        self.ended = true;
        let from = self.decoder.get_mut().stream_position()?;
        let to = self.decoder.get_ref().get_ref().metadata()?.len();
        match error.kind() {
            ErrorKind::UnexpectedEof => Ok(Step::Fault(Fault::Cut { at: to })),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                Ok(Step::Fault(Fault::Damaged { from, to, why: error.to_string(), altered: true }))
            }
            _ => Err(error),
        }
    }
}

/// Whether these are the first bytes of a gzip file.
pub fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}
