//! A map of the kernel, read or emptied by few system calls.

use std::io;
use std::os::fd::AsRawFd;

use libbpf_rs::{MapCore, MapType};
use libbpf_sys::{bpf_map_lookup_and_delete_batch, bpf_map_lookup_batch};
use rustix::io::Errno;

/// How many entries are read by one call. A call returns whole slots of the hash table: this is
/// more than a slot ever holds.
const AT_ONCE: usize = 128;

/// Passes on each key and value, and removes it. No program may add to the map during this time.
///
/// # Errors
/// When the kernel refuses, e.g. without CAP_BPF before Linux 6.5.
pub fn drain(map: &impl MapCore, each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    call(map, true, each)
}

/// Passes on each key and value; of a map with a value for each processor all values, of which each takes a multiple of
/// 8 bytes. Entries added or removed during the call may be included or not; all others are, once.
///
/// # Errors
/// As for `drain`; when the kernel reads no maps of this type so: arrays with a value for each processor before Linux 5.13.
pub fn read(map: &impl MapCore, each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    call(map, false, each)
}

fn call(map: &impl MapCore, removes: bool, mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let batch = if removes { bpf_map_lookup_and_delete_batch } else { bpf_map_lookup_batch };
    let (key_size, value_size) = (map.key_size() as usize, value_size(map)?);
    let mut at_once = AT_ONCE;
    let mut keys = vec![0u8; at_once * key_size];
    let mut values = vec![0u8; at_once * value_size];
    // Where the next call continues: the number of a slot, or for other maps than hash maps a key.
    let (mut from, mut next) = (None::<Vec<u8>>, vec![0u8; key_size.max(size_of::<u32>())]);
    let opts = libbpf_sys::bpf_map_batch_opts {
        sz: size_of::<libbpf_sys::bpf_map_batch_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    loop {
        let mut count = at_once as u32;
        // SAFETY: the buffers hold `count` keys and values, and outlive the call.
        let result = unsafe {
            batch(
                map.as_fd().as_raw_fd(),
                from.as_mut().map_or(std::ptr::null_mut(), |from| from.as_mut_ptr().cast()),
                next.as_mut_ptr().cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &raw mut count,
                &raw const opts,
            )
        };
        let error = (result < 0).then(|| io::Error::from_raw_os_error(-result));
        let over = match error.as_ref().and_then(Errno::from_io_error) {
            Some(Errno::INTR) => continue,
            // A slot holds more than the buffer had room for: it is read again.
            Some(Errno::NOSPC) => {
                at_once *= 2;
                keys.resize(at_once * key_size, 0);
                values.resize(at_once * value_size, 0);
                continue;
            }
            // The end of the map: the `count` entries were read all the same.
            Some(Errno::NOENT) => true,
            _ => match error {
                Some(error) => return Err(error),
                None => false,
            },
        };
        let read = keys.chunks_exact(key_size).zip(values.chunks_exact(value_size));
        read.take(count as usize).for_each(|(key, value)| each(key, value));
        if over {
            return Ok(());
        }
        from.get_or_insert_with(|| next.clone()).copy_from_slice(&next);
    }
}

/// The bytes of a value, or of the values of all processors.
fn value_size(map: &impl MapCore) -> io::Result<usize> {
    let one = map.value_size() as usize;
    match map.map_type() {
        MapType::PercpuHash | MapType::PercpuArray | MapType::LruPercpuHash => {
            let processors = libbpf_rs::num_possible_cpus().map_err(io::Error::other)?;
            Ok(one.next_multiple_of(8) * processors)
        }
        _ => Ok(one),
    }
}
