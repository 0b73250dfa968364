//! Decoders: what makes a label's text of its bytes, one after the other.

mod device;
mod errno;
mod kernel;
mod net;
mod text;

use std::collections::HashMap;

use regex::Regex;
use serde_saphyr::Spanned;

use crate::re2;
use crate::system::System;
use crate::yaml::{self, Mistake};

/// Why a label has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// The config leaves this key out: no expression of `regexp` matches.
    LeftOut,
    /// It cannot be decoded, and why.
    Undecodable(String),
}

/// A decoder.
#[derive(Debug)]
pub enum Decoder {
    /// A number of this host's byte order, in decimal.
    Uint,
    /// The bytes before the first NUL.
    String,
    /// All bytes in hexadecimal.
    Hex,
    /// A text by a text; without a map it says so.
    StaticMap(Option<HashMap<String, String>>, bool),
    /// What the first of the expressions matches.
    Regexp(Vec<Regex>),
    /// An IP address.
    InetIp,
    /// A DNS name as it is in a packet.
    Dname,
    /// The name of an error, by its number.
    Errno,
    /// The name of a system call, by its number.
    Syscall,
    /// The path of a cgroup, by its id.
    Cgroup,
    /// The name of a network device, by its index.
    Ifname,
    /// The name of a block device, by its number.
    MajorMinor,
    /// The kernel symbol at an address.
    Ksym,
    /// The kernel symbols of addresses.
    Kstack,
    /// A name of the PCI database.
    Pci(Pci),
}

/// Which name of the PCI database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pci {
    /// Of a vendor.
    Vendor,
    /// Of a device; its vendor is in the upper half.
    Device,
    /// Of a class.
    Class,
    /// Of a subclass; its class is in the upper byte.
    Subclass,
}

/// The names of all decoders.
pub const NAMES: [&str; 18] = [
    "cgroup",
    "dname",
    "errno",
    "hex",
    "ifname",
    "inet_ip",
    "kstack",
    "ksym",
    "majorminor",
    "pci_class",
    "pci_device",
    "pci_subclass",
    "pci_vendor",
    "regexp",
    "static_map",
    "string",
    "syscall",
    "uint",
];

impl Decoder {
    /// As a config describes it.
    ///
    /// # Errors
    /// When there is no such decoder, or an expression is none.
    pub fn of(config: yaml::Decoder) -> Result<Self, Mistake> {
        Ok(match config.name.value.as_str() {
            "cgroup" => Self::Cgroup,
            "dname" => Self::Dname,
            "errno" => Self::Errno,
            "hex" => Self::Hex,
            "ifname" => Self::Ifname,
            "inet_ip" => Self::InetIp,
            "kstack" => Self::Kstack,
            "ksym" => Self::Ksym,
            "majorminor" => Self::MajorMinor,
            "pci_class" => Self::Pci(Pci::Class),
            "pci_device" => Self::Pci(Pci::Device),
            "pci_subclass" => Self::Pci(Pci::Subclass),
            "pci_vendor" => Self::Pci(Pci::Vendor),
            "static_map" => Self::StaticMap(config.static_map, config.allow_unknown),
            "string" => Self::String,
            "syscall" => Self::Syscall,
            "uint" => Self::Uint,
            "regexp" if config.regexps.is_empty() => {
                return Err(Mistake::at(&config.name.referenced, "decoder `regexp` has no `regexps`"));
            }
            "regexp" => Self::Regexp(expressions(&config.regexps)?),
            other => {
                let known = NAMES.join(", ");
                let other = cli::text::visible(other);
                return Err(Mistake::at(
                    &config.name.referenced,
                    format!("there is no decoder `{other}`; there are {known}"),
                ));
            }
        })
    }

    /// What it makes of these bytes.
    ///
    /// # Errors
    /// When the key is left out, or the bytes are none of its kind.
    pub fn decode(&self, bytes: Vec<u8>, system: &mut System) -> Result<Vec<u8>, Without> {
        match self {
            Self::Uint => text::uint(&bytes),
            Self::String => Ok(text::string(bytes)),
            Self::Hex => Ok(text::hex(&bytes)),
            Self::StaticMap(map, allow_unknown) => Ok(text::static_map(bytes, map.as_ref(), *allow_unknown)),
            Self::Regexp(all) => text::regexp(&bytes, all),
            Self::InetIp => Ok(net::inet_ip(&bytes)),
            Self::Dname => Ok(net::dname(bytes)),
            Self::Errno => errno::name(text::number(&bytes)?),
            Self::Syscall => kernel::syscall(text::number(&bytes)?),
            Self::Cgroup => Ok(system.cgroups().path(text::number(&bytes)?).into_bytes()),
            Self::Ifname => device::ifname(&bytes),
            Self::MajorMinor => device::major_minor(&bytes),
            Self::Ksym => kernel::ksym(&bytes, system.symbols()),
            Self::Kstack => kernel::kstack(&bytes, system.symbols()),
            Self::Pci(kind) => Ok(device::pci(text::number(&bytes)?, *kind, system.pci()).into_bytes()),
        }
    }
}

/// The expressions of a config.
///
/// # Errors
/// When one is none.
pub fn expressions(all: &[Spanned<String>]) -> Result<Vec<Regex>, Mistake> {
    let compiled = all.iter().map(|one| {
        re2::compile(&one.value).map_err(|error| {
            Mistake::at(&one.referenced, format!("`{}`: {error}", cli::text::visible(&one.value)))
        })
    });
    compiled.collect()
}

/// A part of a key.
#[derive(Debug)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: usize,
    /// The bytes after it that mean nothing.
    pub padding: usize,
    /// What makes a text of it.
    pub decoders: Vec<Decoder>,
    /// Whether it is the number of a processor, which the map's own keys do not have.
    pub is_processor: bool,
}

impl Label {
    /// The text of a label, from its bytes. What is not UTF-8 is replaced (U+FFFD).
    ///
    /// # Errors
    /// As for its decoders.
    pub fn text(&self, bytes: &[u8], system: &mut System) -> Result<String, Without> {
        let mut decoded = bytes.to_vec();
        for decoder in &self.decoders {
            decoded = decoder.decode(decoded, system)?;
        }
        Ok(text::valid(&decoded))
    }
}

/// The bytes of these labels in a key.
pub fn size(labels: &[Label]) -> usize {
    labels.iter().map(|label| label.size + label.padding).sum()
}

/// The texts of a key's labels.
///
/// # Errors
/// When the key is left out or cannot be decoded.
pub fn key(labels: &[Label], key: &[u8], system: &mut System) -> Result<Vec<String>, Without> {
    let mut rest = key;
    let mut texts = Vec::with_capacity(labels.len());
    for label in labels {
        let Some((bytes, after)) = rest.split_at_checked(label.size) else {
            return Err(Without::Undecodable(format!("the key ends before label {}", label.name)));
        };
        texts.push(label.text(bytes, system).map_err(|without| match without {
            Without::Undecodable(why) => Without::Undecodable(format!("label {}: {why}", label.name)),
            left_out => left_out,
        })?);
        rest = after.get(label.padding..).unwrap_or_default();
    }
    Ok(texts)
}

/// The first bytes as a number of this host's order.
fn native<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Without> {
    let first = bytes.first_chunk::<N>();
    first.copied().ok_or_else(|| Without::Undecodable(format!("{} bytes, and {N} are needed", bytes.len())))
}
