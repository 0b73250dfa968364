//! The configs of `contrib/mapstat`, and what they count.

use tests::observed::observed;

use super::*;

/// A config of `contrib/mapstat`: its name, object and YAML.
macro_rules! shipped {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o")) as &[u8],
            include_str!(concat!("../../../../contrib/mapstat/", $name, ".yaml")),
        )
    };
}

pub const ALL: [(&str, &[u8], &str); 5] =
    [shipped!("calls"), shipped!("offcpu"), shipped!("runqlat"), shipped!("softnet"), shipped!("timers")];
/// What another test has a look at.
pub const BACKLOGS: (&str, &[u8], &str) = shipped!("synbacklog");

/// How often this thread gave up its processor: to wait for something, and in all.
fn switches() -> [u64; 2] {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a file");
    let count = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a count");
        line.trim().parse::<u64>().expect("a number")
    };
    let waits = count("voluntary_ctxt_switches:");
    [waits, waits + count("nonvoluntary_ctxt_switches:")]
}

/// Calls this thread so.
fn rename(name: &std::ffi::CStr) {
    // SAFETY: a text that ends with NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Waits 101 times for a millisecond in a thread with a name of its own; returns the name, and how often it was switched to
/// by that name, after it had waited for something and in all.
fn waited() -> (String, [u64; 2]) {
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
                (earlier == before && switches() == after)
                    .then_some([after[0] - before[0], after[1] - before[1]])
            }
        });
        // While it was renamed it may have been switched from: then it is not known by which name.
        if let Some(count) = thread.join().expect("it ends") {
            return (name, count);
        }
    }
    panic!("it is always switched from while it is renamed");
}

const TIMERS: u64 = 103;

/// Waits so often for a packet that does not come: each time a timer is started that wakes the thread.
fn timers_started() {
    let waits = || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(std::time::Duration::from_millis(1))).expect("a time-out");
        (0..TIMERS).for_each(|_| assert!(socket.recv(&mut [0]).is_err()));
    };
    let thread = std::thread::Builder::new().name("mapstat-timers".to_owned()).spawn(waits);
    thread.expect("a thread").join().expect("it ends");
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
/// Which processors receive what is sent over the loopback device (RPS), as bits.
const STEERING: &str = "/sys/class/net/lo/queues/rx-0/rps_cpus";

/// Has this thread run on one processor, until the end of the work.
fn on_processor<T>(number: usize, work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None).expect("its processors");
    let mut one = CpuSet::new();
    one.set(number);
    sched_setaffinity(None, &one).expect("a processor");
    let result = work();
    sched_setaffinity(None, &before).expect("its processors");
    result
}

/// Sends datagrams from the first processor to the second, whose backlog has room for one packet, until packets were dropped:
/// whether one is depends on when the other one looks. Afterwards each processor receives once more.
fn drop_packets() {
    let usual = [BACKLOG, STEERING].map(|file| (file, fs::read_to_string(file).expect("a file")));
    let before = softnet()[0];
    fs::write(BACKLOG, "1").expect("root writes");
    fs::write(STEERING, "2").expect("root writes");
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    sender.connect(receiver.local_addr().expect("an address")).expect("it is there");
    let send = || assert!(sender.send(&[0; 100]).is_ok(), "it is sent");
    on_processor(0, || {
        for _ in 0..100 {
            (0..1000).for_each(|_| send());
            if softnet()[0] > before {
                break;
            }
        }
    });
    usual.iter().for_each(|(file, text)| fs::write(file, text).expect("root writes"));
    let all = sched_getaffinity(None).expect("its processors");
    (0..CpuSet::MAX_CPU).filter(|number| all.is_set(*number)).for_each(|number| on_processor(number, send));
}

/// When tasks begin and end to wait for a processor.
const WAITS: &[&str] = &["sched/sched_wakeup", "sched/sched_switch", "timer/timer_start"];

#[test]
fn configs_of_our_own_count_what_they_say() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    observed(WAITS, count_what_they_say);
}

fn count_what_they_say() {
    let configs = Configs::of(&ALL);
    // Not every kernel lets programs read its variables: those of Debian do.
    let names = if kernel::of_guest().is_some() {
        "calls,offcpu,runqlat,softnet,timers"
    } else {
        "calls,offcpu,runqlat,timers"
    };
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
    let begun = std::time::Instant::now();
    let (waiter, [waits, switched]) = waited();
    let lasted = begun.elapsed().as_secs_f64();
    timers_started();
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
    let of_waiter = |metric: &str| {
        let mine = of(&records, metric).into_iter().filter(|one| one["command"] == waiter.as_str());
        let (counts, sum) = histogram(&mine.collect::<Vec<_>>());
        (counts.iter().sum::<u64>(), sum)
    };
    let (count, sum) = of_waiter("run_queue_wait_seconds");
    assert_eq!(count, switched);
    assert!((0.0..60.0).contains(&sum), "{sum}");
    let (count, sum) = of_waiter("off_cpu_seconds");
    assert_eq!(count, waits);
    // Each is at least as long as it asked for, to the microsecond below.
    assert!((0.1009..lasted).contains(&sum), "{sum} of {lasted} s");
    let timers =
        of(&records, "timer_starts_total").into_iter().filter(|one| one["command"] == "mapstat-timers");
    let timers = timers.filter(|one| one["function"] == "process_timeout");
    assert_eq!(timers.filter_map(|one| one["value"].as_u64()).sum::<u64>(), TIMERS);
    if let Some((by_kernel, by_tool)) = dropped {
        assert!(by_kernel > 0, "no packet was dropped");
        assert_eq!(by_tool, by_kernel, "packets dropped");
    }
}
