//! The sections that libbpf does not attach by itself: perf events, network devices, and the call after all is attached.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use common::session::stranger;
use libbpf_rs::{Link, OpenProgramMut, ProgramAttachType, ProgramMut, ProgramType};

/// Processors that are online, as `0-3,5`.
const ONLINE: &str = "/sys/devices/system/cpu/online";
/// `PERF_FLAG_FD_CLOEXEC` of linux/perf_event.h.
const CLOSE_ON_EXEC: libc::c_ulong = 8;
/// Any process.
const ALL: libc::c_int = -1;

/// What a program attaches to, by its section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// An event of each processor: kind, number, and how often per second it is looked at.
    PerfEvent(u32, u64, u64),
    /// A network device.
    Xdp(String),
    /// The call that tells programs that all are attached.
    Mark,
    /// What libbpf attaches.
    Other,
}

impl Section {
    /// From an ELF section's name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: &str) -> Result<Self, String> {
        if name == "uprobe//proc/self/exe:post_attach_mark" {
            return Ok(Self::Mark);
        }
        if let Some(device) =
            name.strip_prefix("xdp/").filter(|device| !["devmap", "cpumap"].contains(device))
        {
            return Ok(Self::Xdp(device.to_owned()));
        }
        let Some(items) = name.strip_prefix("perf_event/") else { return Ok(Self::Other) };
        let (mut kind, mut config, mut frequency) = (0, 0, 0);
        for item in items.split(',') {
            let (key, value) = item.split_once('=').ok_or_else(|| format!("{name}: {item} has no value"))?;
            let number: u64 = value.parse().map_err(|_| format!("{name}: {value} is no number"))?;
            match key {
                "type" => kind = u32::try_from(number).map_err(|_| format!("{name}: no such type"))?,
                "config" => config = number,
                "frequency" => frequency = number,
                _ => return Err(format!("{name}: there are type, config and frequency, not {key}")),
            }
        }
        if frequency == 0 {
            return Err(format!("{name}: it needs a frequency, per second"));
        }
        Ok(Self::PerfEvent(kind, config, frequency))
    }

    /// Tells libbpf what the program is, before it is loaded, if it does not know the section.
    pub fn prepare(&self, program: &mut OpenProgramMut<'_>) {
        match self {
            Self::PerfEvent(..) => program.set_prog_type(ProgramType::PerfEvent),
            Self::Xdp(_) => {
                program.set_prog_type(ProgramType::Xdp);
                program.set_attach_type(ProgramAttachType::Xdp);
            }
            Self::Mark | Self::Other => {}
        }
    }

    /// Attaches a program.
    ///
    /// # Errors
    /// Why it could not be.
    pub fn attach(&self, program: &ProgramMut<'_>) -> Result<Vec<Link>, libbpf_rs::Error> {
        match self {
            Self::Other => Ok(vec![stranger::attach(program)?]),
            Self::Mark => Ok(vec![program.attach_uprobe(false, ALL, "/proc/self/exe", mark_offset()?)?]),
            Self::Xdp(device) => {
                let index = interface(device)?;
                Ok(vec![program.attach_xdp(index)?])
            }
            Self::PerfEvent(kind, config, frequency) => {
                let online = fs::read_to_string(ONLINE)?;
                let links = processors(&online).map(|processor| {
                    let event = open(*kind, *config, *frequency, processor)?;
                    // The link closes it.
                    program.attach_perf_event(event.into_raw_fd())
                });
                links.collect()
            }
        }
    }
}

/// The numbers of processors in a list such as `0-3,5`.
fn processors(list: &str) -> impl Iterator<Item = i32> {
    list.trim().split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = first.parse::<i32>().ok().zip(last.parse::<i32>().ok());
        range.into_iter().flat_map(|(first, last)| first..=last)
    })
}

/// An event of a processor, for all processes.
fn open(kind: u32, config: u64, frequency: u64, processor: i32) -> io::Result<OwnedFd> {
    let mut attributes = libbpf_sys::perf_event_attr { type_: kind, config, ..Default::default() };
    attributes.size = size_of_val(&attributes) as u32;
    attributes.__bindgen_anon_1.sample_freq = frequency;
    attributes.set_freq(1);
    // SAFETY: the attributes outlive the call and say their size.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attributes, ALL, processor, -1, CLOSE_ON_EXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel has just returned, and that has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The index of a network device.
fn interface(name: &str) -> io::Result<i32> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: a text that ends with NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index as i32),
    }
}

/// Called once, when all programs are attached: those in the section `uprobe//proc/self/exe:post_attach_mark` begin with it.
#[inline(never)]
pub extern "C" fn post_attach_mark() {
    // Not to be removed, nor merged with another function that does nothing.
    std::hint::black_box(ONLINE);
}

/// Where that function is in the program's file. By its name it cannot be found, for the program has no symbols.
fn mark_offset() -> io::Result<usize> {
    let address = post_attach_mark as *const () as usize;
    let maps = fs::read_to_string("/proc/self/maps")?;
    offset_in(&maps, address).ok_or_else(|| io::Error::other("the program is not in /proc/self/maps"))
}

/// From a process's mappings: where in its file an address is.
fn offset_in(maps: &str, address: usize) -> Option<usize> {
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (start, end, offset) = (number(start)?, number(end)?, number(words.nth(1)?)?);
        (start..end).contains(&address).then(|| address - start + offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read() {
        let of = |name| Section::parse(name);
        assert_eq!(of("perf_event/type=0,config=2,frequency=99"), Ok(Section::PerfEvent(0, 2, 99)));
        assert_eq!(of("xdp/lo"), Ok(Section::Xdp("lo".to_owned())));
        assert_eq!(of("uprobe//proc/self/exe:post_attach_mark"), Ok(Section::Mark));
        for name in ["xdp", "xdp/devmap", "perf_event", "kprobe/x", "tp_btf/y"] {
            assert_eq!(of(name), Ok(Section::Other), "{name}");
        }
        for name in [
            "perf_event/type=0",
            "perf_event/",
            "perf_event/type=x,frequency=1",
            "perf_event/kind=1,frequency=1",
        ] {
            assert!(of(name).is_err(), "{name}");
        }
    }

    #[test]
    fn lists_and_mappings_are_read() {
        assert_eq!(processors("0-2,5\n").collect::<Vec<_>>(), [0, 1, 2, 5]);
        assert_eq!(processors("0\n").collect::<Vec<_>>(), [0]);
        assert_eq!(processors("").count(), 0);
        let maps = "1000-2000 r--p 00000000 fe:00 5 /bin/x\n2000-3000 r-xp 00000500 fe:00 5 /bin/x\n";
        assert_eq!(offset_in(maps, 0x2010), Some(0x510));
        assert_eq!(offset_in(maps, 0x3000), None);
        assert!(mark_offset().is_ok() && interface("lo").is_ok() && interface("no such").is_err());
    }
}
