//! What a tool brings to a session.

use cli::exit::Result;

use crate::hooks::Hook;
use crate::hooks::plan::Plan;
use crate::owner;

/// What a tool brings to a session.
pub struct Tool<'a, B, O, S> {
    /// Makes the builder of its skeleton.
    pub builder: fn() -> B,
    /// Sets the constants and sizes of an object that was opened.
    pub configure: &'a dyn Fn(&mut O) -> libbpf_rs::Result<()>,
    /// All its hooks.
    pub hooks: &'a [Hook],
    /// Whether this run needs the hook.
    pub wanted: &'a dyn Fn(&Hook) -> bool,
    /// The options of attribution; `None` if its object has no owners.
    pub owner: Option<&'a owner::Options>,
    /// Does a little of the work of each hook, and names the hooks that did not see it: functions
    /// can be attached to and never be called, because the compiler inlined them.
    pub selftest: Option<Selftest<S>>,
    /// Whether the tool itself decides by `--comm`, after its BPF programs.
    pub decides_by_comm: bool,
}

impl<B, O, S> Tool<'_, B, O, S> {
    /// A tool that needs all its hooks in every run, has nothing to set up, no owners and no self-test: what is so
    /// otherwise is said beside (`Tool { owner: …, ..Tool::new(…) }`).
    pub fn new(builder: fn() -> B, hooks: &'static [Hook]) -> Self {
        Self {
            builder,
            configure: &|_| Ok(()),
            hooks,
            wanted: &|_| true,
            owner: None,
            selftest: None,
            decides_by_comm: false,
        }
    }
}

/// Does a little work, and names the hooks that did not see it.
pub type Selftest<S> = fn(&S, &Plan) -> Result<Vec<&'static str>>;
