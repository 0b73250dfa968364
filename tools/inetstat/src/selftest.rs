//! Calls for each hook on functions, to find those that see nothing: they fail or would have to wait, so that no packet
//! is sent.

use cli::exit::Result;
use common::hooks::plan::Plan;
use common::measure::per_key::PerKey;
use common::owner::Options;
use libbpf_rs::skel::Skel;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::hooks::{RECEIVES, SENDS};
use crate::skel::InetstatSkel;
use crate::skel::types::{figure as Figure, stats};
use crate::totals;

/// Makes each call once for each family, and names the hooks that did not see all.
pub fn run(skel: &InetstatSkel<'_>, _: &Plan) -> Result<Vec<&'static str>> {
    let options = Options::SYSTEM;
    let mut totals: PerKey<'_, stats> = totals::of(skel.object(), &skel.maps.stats, options)?;
    totals::since_last(&mut totals, options)?;
    let made =
        [AddressFamily::INET, AddressFamily::INET6].into_iter().filter(|family| calls(*family)).count();
    let added = totals::since_last(&mut totals, options)?;
    let seen = |figure: Figure| added.iter().map(|one| one.measured[figure.0 as usize]).sum::<u64>();
    let needed = [(SENDS, Figure::SEND_ERRORS), (RECEIVES, Figure::WOULD_BLOCK)];
    Ok(needed.into_iter().filter(|(_, figure)| seen(*figure) < made as u64).map(|(hook, _)| hook).collect())
}

/// A send to nowhere, and a receive of nothing; false if there is no such family here.
fn calls(family: AddressFamily) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok(socket) = socket_with(family, SocketType::DGRAM, flags, None) else { return false };
    // No destination: EDESTADDRREQ.
    let _ = send(&socket, b"x", SendFlags::empty());
    let _ = recv(&socket, &mut [0; 1], RecvFlags::empty());
    true
}
