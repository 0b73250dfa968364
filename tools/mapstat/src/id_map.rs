//! `cgroup_id_map`: a map in which programs find the cgroups whose paths match, each with the value 1.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use cli::exit::Failure;
use cli::stderr::note;
use common::bpf::globals;
use libbpf_rs::{Map, MapCore, MapFlags, Object};
use regex::Regex;

use crate::config::{CgroupIds, IdMapKind};
use crate::feed::{Change, Feed};
use crate::object::Loaded;
use crate::system::Paths;

/// What the map has for a cgroup.
const PRESENT: [u8; 8] = 1u64.to_ne_bytes();

/// The map of a config.
pub struct IdMap<'a> {
    config: &'a str,
    name: &'a str,
    regexps: &'a [Regex],
    kind: IdMapKind,
    map: Map<'a>,
    inside: HashSet<u64>,
    /// Whether it was said that one has no place in the map.
    told: bool,
}

impl<'a> IdMap<'a> {
    /// That of a loaded object, with those of these cgroups that match.
    ///
    /// # Errors
    /// Why it is none.
    pub fn with(
        object: &'a Object,
        config: &'a str,
        ids: &'a CgroupIds,
        cgroups: &[(u64, String)],
        quiet: bool,
    ) -> Result<Self, String> {
        let mut map = Self::of(object, config, ids)?;
        cgroups.iter().for_each(|(id, path)| map.exists(*id, path, quiet));
        Ok(map)
    }

    fn of(object: &'a Object, config: &'a str, ids: &'a CgroupIds) -> Result<Self, String> {
        let CgroupIds { name, kind, regexps } = ids;
        let map = globals::map(object, name).map_err(|_| format!("cgroup_id_map: there is no map {name}"))?;
        let number = map.info().map_err(|error| format!("cgroup_id_map: map {name}: {error}"))?.info.type_;
        let (types, key, meaning) = match kind {
            IdMapKind::Hash => (
                [libbpf_sys::BPF_MAP_TYPE_HASH, libbpf_sys::BPF_MAP_TYPE_LRU_HASH],
                8,
                "hash table with keys of 8 bytes",
            ),
            IdMapKind::Storage => (
                [libbpf_sys::BPF_MAP_TYPE_CGRP_STORAGE; 2],
                4,
                "BPF_MAP_TYPE_CGRP_STORAGE with keys of 4 bytes",
            ),
        };
        if !types.contains(&number) || map.key_size() != key || map.value_size() as usize != PRESENT.len() {
            return Err(format!(
                "cgroup_id_map: map {name} must be a {meaning}, and with values of 8 bytes (u64)"
            ));
        }
        Ok(Self { config, name, regexps, kind: *kind, map, inside: HashSet::new(), told: false })
    }

    /// Whether this process may still write into it.
    pub fn works(&self) -> bool {
        self.map.info().is_ok()
    }

    /// How many cgroups are in it.
    pub fn len(&self) -> usize {
        self.inside.len()
    }

    /// A cgroup is there, with its full path: puts it in if the path matches.
    pub fn exists(&mut self, id: u64, path: &str, quiet: bool) {
        if !self.regexps.iter().any(|one| one.is_match(path)) {
            return;
        }
        let put = match self.kind {
            IdMapKind::Hash => self.put(&id.to_ne_bytes()),
            // The kernel finds it by a descriptor of its folder.
            IdMapKind::Storage => {
                File::open(path).and_then(|folder| self.put(&folder.as_raw_fd().to_ne_bytes()))
            }
        };
        match put {
            Ok(()) => drop(self.inside.insert(id)),
            // It was removed in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) && !quiet {
                    let (config, name) = (self.config, self.name);
                    let path = cli::text::visible(path);
                    note(&format!(
                        "{config}: cgroup_id_map: {path} is not in map {name}: {error}; its programs do not know of it, \
                         nor of others that this is said of no more"
                    ));
                }
            }
        }
    }

    fn put(&self, key: &[u8]) -> io::Result<()> {
        self.map.update(key, &PRESENT, MapFlags::ANY).map_err(|error| {
            // Its kind is what the kernel said.
            let of_kernel =
                std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
            match of_kernel.and_then(io::Error::raw_os_error) {
                Some(libc::E2BIG) => {
                    io::Error::other(format!("it is full ({} cgroups)", self.map.max_entries()))
                }
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::other(error.to_string()),
            }
        })
    }

    /// A cgroup was removed.
    pub fn removed(&mut self, id: u64) {
        if self.inside.remove(&id) && self.kind == IdMapKind::Hash {
            // A program may have done it: then there is nothing to do.
            let _ = self.map.delete(&id.to_ne_bytes());
        }
    }

    /// Makes it right after changes were missed: these are all that exist, with their full paths.
    pub fn renew(&mut self, existing: &HashMap<u64, String>, quiet: bool) {
        let gone: Vec<u64> = self.inside.iter().copied().filter(|id| !existing.contains_key(id)).collect();
        gone.into_iter().for_each(|id| self.removed(id));
        existing.iter().for_each(|(id, path)| self.exists(*id, path, quiet));
    }
}

/// The maps of all configs.
pub struct IdMaps<'a> {
    all: Vec<IdMap<'a>>,
    /// Whether changes were missed, and there was no walk since.
    missed: bool,
    quiet: bool,
}

impl<'a> IdMaps<'a> {
    /// Of these configs, with the cgroups that are known.
    ///
    /// # Errors
    /// When a map cannot be used.
    pub fn of(loaded: &'a [Loaded], cgroups: &[(u64, String)], quiet: bool) -> Result<Self, Failure> {
        let with = loaded.iter().filter_map(|one| Some((one, one.config.cgroup_ids.as_ref()?)));
        let maps = with.map(|(one, ids)| {
            IdMap::with(&one.object, &one.config.name, ids, cgroups, quiet).map_err(Failure::failed)
        });
        let all = maps.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { all, missed: false, quiet })
    }

    /// Whether this process may still write into them.
    pub fn work(&self) -> bool {
        self.all.iter().all(IdMap::works)
    }

    /// Takes what the feed has: paths become known, and the maps right.
    pub fn follow(&mut self, feed: &Feed, paths: &mut Paths) {
        let (changes, missed) = feed.take();
        for change in changes {
            match change {
                Change::Created(cgroup) => {
                    let (id, path) = (cgroup.id, paths.created(cgroup));
                    if let Some(path) = path {
                        self.all.iter_mut().for_each(|map| map.exists(id, &path, self.quiet));
                    }
                }
                Change::Removed(id) => self.all.iter_mut().for_each(|map| map.removed(id)),
            }
        }
        self.missed |= missed && !self.all.is_empty();
        if !self.missed {
            return;
        }
        if let Some(existing) = paths.existing() {
            self.all.iter_mut().for_each(|map| map.renew(&existing, self.quiet));
            self.missed = false;
        }
    }
}
