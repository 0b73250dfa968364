//! `cgroup_id_map` of a config.

use regex::Regex;

use super::labels::named;
use crate::decode::expressions;
use crate::yaml::{self, Mistake};

/// `cgroup_id_map`: a map that programs ask whether a cgroup's path matches.
#[derive(Debug)]
pub struct CgroupIds {
    /// The map's name.
    pub name: String,
    /// How cgroups are found in it.
    pub kind: IdMapKind,
    /// One of these matches the full path.
    pub regexps: Vec<Regex>,
}

/// How a program finds a cgroup in such a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdMapKind {
    /// By its id.
    Hash,
    /// By itself: the map keeps a value in each cgroup.
    Storage,
}

impl CgroupIds {
    pub(super) fn of(config: yaml::CgroupIdMap) -> Result<Self, Mistake> {
        let name = named(&config.name, "cgroup_id_map")?;
        let kind = match &config.kind {
            None => IdMapKind::Hash,
            Some(kind) if kind.value == "hash" => IdMapKind::Hash,
            Some(kind) if kind.value == "cgrp_storage" => IdMapKind::Storage,
            Some(kind) => {
                let what = format!(
                    "cgroup_id_map has no type `{}`: hash or cgrp_storage",
                    cli::text::visible(&kind.value)
                );
                return Err(Mistake::at(&kind.referenced, what));
            }
        };
        if config.regexps.is_empty() {
            return Err(Mistake::at(&config.name.referenced, "cgroup_id_map needs `regexps`, of paths"));
        }
        Ok(Self { name, kind, regexps: expressions(&config.regexps)? })
    }
}
