//! The cgroups that come while the tool runs: by a program of its own, so that short-lived ones have names.

use std::mem::MaybeUninit;

use cli::exit::Result;
use common::measure::halves::until_programs_end;
use common::owner::cgroups::Cgroups;
use common::owner::new_cgroups::NewCgroups;
use libbpf_rs::OpenObject;
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};

use crate::skel::{MapstatSkel, MapstatSkelBuilder};

/// The program at work.
pub struct Feed {
    skel: &'static MapstatSkel<'static>,
    created: NewCgroups<'static>,
}

impl Feed {
    /// Attaches the program. None where the kernel does not allow it: then cgroups are found by walks alone.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has no ring.
    pub fn start() -> Result<Option<Self>> {
        let attached = || -> libbpf_rs::Result<MapstatSkel<'static>> {
            // There is one, as long as the process lives.
            let object: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
            let mut skel = MapstatSkelBuilder::default().open(object)?.load()?;
            skel.attach()?;
            Ok(skel)
        };
        let Ok(skel) = attached() else { return Ok(None) };
        let skel: &'static MapstatSkel<'static> = Box::leak(Box::new(skel));
        let created = NewCgroups::of(skel.object())?;
        Ok(created.map(|created| Self { skel, created }))
    }

    /// The object, for its statistics.
    pub fn object(&self) -> &libbpf_rs::Object {
        self.skel.object()
    }

    /// Tells of the cgroups that were created since the last call.
    pub fn pass_on(&mut self, cgroups: &mut Cgroups) {
        self.created.mark();
        until_programs_end();
        cgroups.next(self.created.read());
    }
}
