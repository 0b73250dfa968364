//! What a kernel refused when it was tried.

use std::collections::BTreeMap;

use super::{Kernel, Kind, Program, Refusal};

/// A kernel, and its refusals so far when programs were tried: only trying shows what it allows.
pub struct KnownRefusals<K> {
    kernel: K,
    programs: BTreeMap<String, Refusal>,
    kinds: Vec<(Kind, Refusal)>,
}

impl<K: Kernel> KnownRefusals<K> {
    /// A kernel that has refused nothing yet.
    pub fn new(kernel: K) -> Self {
        Self { kernel, programs: BTreeMap::new(), kinds: Vec::new() }
    }

    /// Remembers that this program was refused, or its whole kind.
    pub fn refused(&mut self, program: &Program, refusal: Refusal) {
        if refusal.whole_kind {
            self.kinds.push((program.kind, refusal.clone()));
        }
        self.programs.insert(program.name.clone(), refusal);
    }

    /// The kernel itself.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }
}

impl<K: Kernel> Kernel for KnownRefusals<K> {
    fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
        let kind = self.kinds.iter().find(|(kind, _)| *kind == program.kind).map(|(_, refusal)| refusal);
        match self.programs.get(&program.name).or(kind) {
            Some(refusal) => Err(refusal.clone()),
            None => self.kernel.can_attach(program),
        }
    }

    fn has_name(&self, name: &str) -> bool {
        self.kernel.has_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that refuses nothing.
    struct Willing;

    impl Kernel for Willing {
        fn can_attach(&self, _: &Program) -> Result<(), Refusal> {
            Ok(())
        }

        fn has_name(&self, _: &str) -> bool {
            true
        }
    }

    fn program(name: &str, section: &str) -> Program {
        Program::from_section(name, section).unwrap()
    }

    #[test]
    fn what_was_refused_is_not_tried_again() {
        let mut kernel = KnownRefusals::new(Willing);
        let (first, second) = (program("a", "fentry/a"), program("b", "fentry/b"));
        kernel.refused(&first, Refusal::missing("attached, but never called"));
        assert_eq!(kernel.can_attach(&first).unwrap_err().reason, "attached, but never called");
        assert!(kernel.can_attach(&second).is_ok());
    }

    #[test]
    fn a_kind_that_is_not_permitted_is_tried_once() {
        let mut kernel = KnownRefusals::new(Willing);
        kernel.refused(&program("a", "fentry/a"), Refusal::not_permitted("locked down"));
        assert!(kernel.can_attach(&program("b", "fexit/b")).unwrap_err().not_permitted);
        assert!(kernel.can_attach(&program("c", "kprobe/c")).is_ok());
    }
}
