//! The cgroups that come and go while the tool runs, by programs of its own: so short-lived ones have names, and the maps of
//! `cgroup_id_map` have them as soon as this process is woken.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use cli::exit::{Failure, Result};
use common::bpf::bytes::{chars, text};
use common::bpf::globals::{map, shared_u64};
use common::bpf::plain::{Plain, copy};
use common::owner::new_cgroups::NewCgroup;
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{OpenObject, RingBuffer, RingBufferBuilder};

use crate::skel::{MapstatSkel, MapstatSkelBuilder, types};

// SAFETY: integers and arrays of them, without padding.
unsafe impl Plain for types::cgroup_change {}

/// What became of a cgroup.
pub enum Change {
    /// It was created.
    Created(NewCgroup),
    /// The one with this id was removed.
    Removed(u64),
}

/// The programs at work.
pub struct Feed {
    skel: &'static MapstatSkel<'static>,
    ring: RingBuffer<'static>,
    changes: Rc<RefCell<Vec<Change>>>,
    missed: &'static AtomicU64,
    /// How many of these were told.
    told: std::cell::Cell<u64>,
}

impl Feed {
    /// Attaches the programs; that of cgroups that go only on request. None where the kernel does not allow it: then cgroups
    /// are found by walks alone.
    ///
    /// # Errors
    /// When its buffer cannot be mapped.
    pub fn start(removed: bool) -> Result<Option<Self>> {
        let attached = || -> libbpf_rs::Result<MapstatSkel<'static>> {
            // There is one, as long as the process lives.
            let object: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
            let mut skel = MapstatSkelBuilder::default().open(object)?;
            skel.progs.goes.set_autoload(removed);
            let mut skel = skel.load()?;
            skel.attach()?;
            Ok(skel)
        };
        let Ok(skel) = attached() else { return Ok(None) };
        let skel: &'static MapstatSkel<'static> = Box::leak(Box::new(skel));
        let changes = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&changes);
        let take = move |record: &[u8]| {
            into.borrow_mut().extend(copy(record).map(|(change, _)| change_of(&change)));
            0
        };
        let mut builder = RingBufferBuilder::new();
        let events = map(skel.object(), "cgroup_changes")?;
        let ring = builder.add(&events, take).map(|_| ()).and_then(|()| builder.build());
        let ring = ring
            .map_err(|error| Failure::failed(format!("cannot map the buffer of new cgroups: {error:#}")))?;
        let missed = shared_u64(skel.object(), "changes_missed")?;
        Ok(Some(Self { skel, ring, changes, missed, told: std::cell::Cell::new(0) }))
    }

    /// The object, for its statistics.
    pub fn object(&self) -> &libbpf_rs::Object {
        self.skel.object()
    }

    /// Readable when there are changes.
    pub fn ready(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the ring, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) }
    }

    /// The changes since the last call in their order, and whether some found no room.
    pub fn take(&self) -> (Vec<Change>, bool) {
        // A failure leaves them for the next time.
        let _ = self.ring.consume();
        let missed = self.missed.load(Ordering::Relaxed);
        (self.changes.take(), self.told.replace(missed) != missed)
    }
}

fn change_of(change: &types::cgroup_change) -> Change {
    let types::cgroup_change { removed, cgroup } = change;
    match removed {
        0 => Change::Created(NewCgroup {
            id: cgroup.id,
            parent: cgroup.parent,
            name: text(chars(&cgroup.name)),
        }),
        _ => Change::Removed(cgroup.id),
    }
}
