//! What is sent: requests, and where they come from.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;

/// A request, compressed.
pub struct Batch {
    /// The body.
    pub body: Vec<u8>,
    /// The number of its data points or spans.
    pub items: u64,
}

impl Batch {
    /// Of so many items.
    pub fn of(request: &impl Message, items: usize) -> Self {
        let mut body = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory cannot fail.
        let _ = body.write_all(&request.encode_to_vec());
        Self { body: body.finish().unwrap_or_default(), items: items as u64 }
    }
}

/// What requests are made of.
pub trait Pending {
    /// Encodes what has come since the last call.
    fn batches(&mut self) -> Vec<Batch>;
}

/// An attribute with a text.
pub fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}
