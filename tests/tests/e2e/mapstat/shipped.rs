//! The configs of `contrib/mapstat`, and what they count.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

const ALL: [(&str, &[u8], &str); 3] = [
    (
        "calls",
        include_bytes!(concat!(env!("OUT_DIR"), "/calls.bpf.o")),
        include_str!("../../../../contrib/mapstat/calls.yaml"),
    ),
    (
        "runqlat",
        include_bytes!(concat!(env!("OUT_DIR"), "/runqlat.bpf.o")),
        include_str!("../../../../contrib/mapstat/runqlat.yaml"),
    ),
    (
        "softnet",
        include_bytes!(concat!(env!("OUT_DIR"), "/softnet.bpf.o")),
        include_str!("../../../../contrib/mapstat/softnet.yaml"),
    ),
];

/// How often this thread gave up its processor, by itself or not.
fn switches() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a file");
    let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
    counts.filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok()).sum()
}

/// Calls this thread so.
fn rename(name: &std::ffi::CStr) {
    // SAFETY: a text that ends with NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Waits 101 times in a thread with a name of its own; returns the name, and how often it was switched to by that name.
fn waited() -> (String, u64) {
    for attempt in 0..100 {
        let name = format!("mapstat-wait{attempt}");
        let thread = std::thread::spawn({
            let name = std::ffi::CString::new(name.clone()).expect("no NUL");
            move || {
                let earlier = switches();
                rename(&name);
                let before = switches();
                (0..101).for_each(|_| std::thread::sleep(std::time::Duration::from_millis(1)));
                let after = switches();
                rename(c"mapstat-done");
                (earlier == before && switches() == after).then_some(after - before)
            }
        });
        // While it was renamed it may have been switched from: then it is not known by which name.
        if let Some(count) = thread.join().expect("it ends") {
            return (name, count);
        }
    }
    panic!("it is always switched from while it is renamed");
}

/// The processors' counts of packets dropped and of times squeezed (`softnet_seq_show` of net/core/net-procfs.c).
fn softnet() -> [u64; 2] {
    let stat = fs::read_to_string("/proc/net/softnet_stat").expect("a file");
    let column = |at: usize| {
        stat.lines()
            .map(|line| u64::from_str_radix(line.split(' ').nth(at).expect("a column"), 16).expect("hex"))
            .sum()
    };
    [column(1), column(2)]
}

const BACKLOG: &str = "/proc/sys/net/core/netdev_max_backlog";

/// Sends bytes over the loopback device with a backlog of one packet, until packets were dropped.
fn drop_packets() {
    let usual = fs::read_to_string(BACKLOG).expect("a file");
    let before = softnet()[0];
    fs::write(BACKLOG, "1").expect("root writes");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let to = listener.local_addr().expect("an address");
    for _ in 0..20 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut all = Vec::new();
                stream.read_to_end(&mut all).expect("it is read");
            });
            let mut stream = TcpStream::connect(to).expect("it connects");
            stream.write_all(&vec![0; 300_000]).expect("it is written");
        });
        if softnet()[0] > before {
            break;
        }
    }
    fs::write(BACKLOG, usual).expect("root writes");
    // Packets that come afterwards, by which each processor is looked at once more.
    std::thread::scope(|scope| {
        scope.spawn(|| drop(listener.accept()));
        drop(TcpStream::connect(to));
    });
}

#[test]
fn configs_of_our_own_count_what_they_say() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&ALL);
    // Not every kernel lets programs read its variables: those of Debian do.
    let names = if kernel::of_guest().is_some() { "calls,runqlat,softnet" } else { "calls,runqlat" };
    let folder = configs.path("");
    let options = [
        "--config.dir",
        &folder,
        "--config.names",
        names,
        "--strict",
        "--buckets",
        "-q",
        "-o",
        "json",
        "0.2",
    ];
    let tool = Tool::start("mapstat", &options);
    let (waiter, switched) = waited();
    let caller = std::thread::Builder::new().name("mapstat-calls".to_owned()).spawn(|| {
        // SAFETY: a text that ends with NUL, and a call without arguments.
        let made =
            || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, c"/no/such/folder".as_ptr(), 0) };
        (0..37).for_each(|_| assert_eq!(made(), -1));
        // SAFETY: it only asks for a number.
        (0..5).for_each(|_| _ = unsafe { libc::syscall(libc::SYS_getsid, 0) });
    });
    caller.expect("a thread").join().expect("it ends");
    let dropped = kernel::of_guest().map(|_| {
        // Each processor is looked at for the first time.
        drop_packets();
        tool.until_interval_after(Timestamp::now());
        let counted = |tool: &Tool, metric: &str| {
            tool.seen(|records| {
                of(records, metric).iter().filter_map(|record| record["value"].as_u64()).sum::<u64>()
            })
        };
        let (before, told) = (softnet(), counted(&tool, "softnet_dropped_total"));
        drop_packets();
        tool.until_interval_after(Timestamp::now());
        (softnet()[0] - before[0], counted(&tool, "softnet_dropped_total") - told)
    });
    let records = ended(tool).records;
    let calls: Vec<_> = of(&records, "system_calls_total")
        .into_iter()
        .filter(|one| one["command"] == "mapstat-calls")
        .collect();
    let count = |call: &str, errno: &str| {
        let mine = calls.iter().filter(|record| record["call"] == call && record["errno"] == errno);
        mine.filter_map(|record| record["value"].as_u64()).sum::<u64>()
    };
    assert_eq!(
        [count("mkdirat", "ENOENT"), count("mkdirat", "none"), count("getsid", "none")],
        [37, 0, 5],
        "{calls:?}"
    );
    let waits =
        of(&records, "run_queue_wait_seconds").into_iter().filter(|one| one["command"] == waiter.as_str());
    let waits: Vec<_> = waits.collect();
    let (counts, sum) = histogram(&waits);
    assert_eq!(counts.iter().sum::<u64>(), switched, "{waits:?}");
    assert!((0.0..60.0).contains(&sum), "{sum}");
    if let Some((by_kernel, by_tool)) = dropped {
        assert!(by_kernel > 0, "no packet was dropped");
        assert_eq!(by_tool, by_kernel, "packets dropped");
    }
}
