//! Replies of a receiver of `--otlp`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use crate::otlp::client::{LONGEST, Outcome, Poster, Target};

/// What a receiver sends, whatever the request: after the first byte, which says how many bytes come at once, the status
/// line, headers and body.
///
/// Any reply is an outcome: in words of one line and limited length, with a limited time to wait.
pub fn replies(bytes: &[u8]) {
    let (read, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let receiver = Receiver { reply: bytes.into(), read: 1 + usize::from(*read) };
    let agent = |config: &Config| Agent::with_parts(config.clone(), receiver, Nowhere);
    let target = Target { option: "--otlp", url: "http://127.0.0.1:1", path: "/v1/metrics" };
    let poster = Poster::by(agent, target, &[]).expect("a URL");
    let why = match poster.post(b"request", Duration::from_secs(10)) {
        Outcome::Taken(refused, why) => {
            assert!(refused <= i64::MAX as u64);
            why
        }
        Outcome::Refused(why) => why,
        Outcome::Later(why, wait) => {
            assert!(wait.is_none_or(|wait| wait <= LONGEST), "{wait:?}");
            why
        }
    };
    assert!(why.chars().count() <= 300 && !why.contains('\n'), "{why:?}");
}

/// Looks nothing up.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        Ok(addresses)
    }
}

#[derive(Debug)]
struct Receiver {
    reply: Arc<[u8]>,
    read: usize,
}

impl Connector for Receiver {
    type Out = Reply;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Reply>, ureq::Error> {
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = LazyBuffers::new(input, output);
        Ok(Some(Reply { buffers, left: Arc::clone(&self.reply), at: 0, read: self.read }))
    }
}

/// A connection on which the reply comes, whatever is sent.
#[derive(Debug)]
struct Reply {
    buffers: LazyBuffers,
    left: Arc<[u8]>,
    at: usize,
    read: usize,
}

impl Transport for Reply {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let left = &self.left[self.at..];
        let room = self.buffers.input_append_buf();
        let count = left.len().min(self.read).min(room.len());
        room[..count].copy_from_slice(&left[..count]);
        self.buffers.input_appended(count);
        self.at += count;
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.at < self.left.len()
    }
}
