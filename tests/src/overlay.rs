//! An overlay file system as used by containers.

use std::path::{Path, PathBuf};

use crate::programs;

/// An overlay on directories of another file system, mounted for as long as this lives.
pub struct Overlay {
    merged: PathBuf,
}

impl Overlay {
    /// Mounts one whose layers lie in new directories below this one.
    pub fn new(below: &Path) -> Self {
        let layer = |name: &str| {
            let path = below.join(name);
            std::fs::create_dir(&path).expect("a directory for a layer");
            path
        };
        let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(layer);
        let text = |path: &Path| path.to_str().expect("UTF-8").to_string();
        let options = format!("lowerdir={},upperdir={},workdir={}", text(&lower), text(&upper), text(&work));
        programs::succeed("mount", &["-t", "overlay", "overlay", "-o", &options, &text(&merged)]);
        Self { merged }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.merged
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        programs::run("umount", &[self.merged.to_str().expect("UTF-8")]);
    }
}
