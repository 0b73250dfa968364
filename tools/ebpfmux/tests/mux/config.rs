//! `--config FILE`: what it says, what is wrong with it, and what becomes of it on SIGHUP.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use test_support::streams::{Streams, record};

use crate::support::*;

/// A tool as far as `ebpfmux` asks one: for its options, and whether it takes some. It prints its arguments as records.
const TOOL: &str = r#"#!/bin/sh
case " $* " in
*" --generate options "*) printf '{"option":"pid","takes":"values"}\n{"option":"by","takes":"value"}\n{"option":"buckets","takes":"nothing"}\n' && exit ;;
*--by=nobody*) echo "tool: invalid value 'nobody' for '--by <OWNER>' (see --help)" >&2 && exit 2 ;;
*" --schema "*) exit ;;
esac
echo '{"ts":"2026-11-21T00:00:00.5Z","host":"a","tool":"t","interval_s":1,"said":"'"$*"'"}'
"#;

fn streams() -> Streams {
    let streams = Streams::default();
    streams.write("tool", TOOL).shell("chmod +x tool");
    streams
}

#[test]
fn a_file_says_what_a_command_line_says() {
    let streams = streams();
    let records =
        |host| (0..40).map(|n| record(f64::from(n) * 0.25, host, "t", "\"n\":1")).collect::<String>();
    streams.write("a", records("a")).write("b", records("b"));
    for (file, line) in [
        ("files = ['a', 'b']\nwindow = 2", "--window 2 a b"),
        ("window = 2.5\nby = ['tool']\nfiles = ['a']\n", "--window 2.5 --by tool a"),
        ("join = true\nfiles = ['a']\nselect = ['ts', 't.n']\n", "--join --select ts,t.n a"),
        ("join = 3\nfiles = ['a']\noutput = 'csv'", "--join=3 -o csv a"),
        (
            "files = ['a']\nwhere = 'n > 0'\nassert = ['n == 1', 'n < 0']",
            "--where 'n > 0' --assert 'n == 1' --assert 'n < 0' a",
        ),
        (
            "[[run]]\ntool = './tool'\ninterval = 1\npid = [1, 2]\nbuckets = true\nby = 'a b'\n",
            "--run \"./tool --buckets '--by=a b' --pid=1 --pid=2 1\"",
        ),
        ("[[run]]\ntool = './tool'\nbuckets = false\ninterval = 0.5\ncount = 3", "--run './tool 0.5 3'"),
        (
            "[[run]]\ncommand = 'cat a'\n[[run]]\ncommand = \"cat 'b'\"\n[record]\nfolder = 'r1'\nsize = 1",
            "--run 'cat a' --run 'cat b' --record r2",
        ),
    ] {
        streams.write("file.toml", file);
        let valid = streams.shell("ebpfmux --config file.toml --validate");
        assert_eq!((valid.status, valid.out.as_str(), valid.err.as_str()), (Some(0), "", ""), "{file}");
        let (of_file, of_line) =
            (streams.shell("ebpfmux --config file.toml"), streams.shell(&format!("ebpfmux {line}")));
        assert!(!of_line.out.is_empty(), "{line}: {}", of_line.err);
        assert_eq!(
            (of_file.status, of_file.out, of_file.err),
            (of_line.status, of_line.out, of_line.err),
            "{file}"
        );
    }
    let recorded = streams.shell("diff <(ebpfmux r1) <(ebpfmux r2) && ebpfmux r1 | wc -l");
    assert_eq!(recorded.out, "80\n", "{}", recorded.err);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let streams = streams();
    for (file, line, parts) in [
        ("windw = 2", 1, "no key is called 'windw'; did you mean 'window'?"),
        ("\n\nwindow = true", 3, "window takes a value"),
        ("strict = 'x'", 1, "strict is true or false"),
        ("# a\nwindow = 'x'", 2, "not a length of time"),
        ("window = -1", 1, "not a length of time"),
        ("window = 1979-05-27", 1, "a text or a number"),
        ("window = \n", 1, "quoted"),
        ("window = 1\nwindow = 2", 2, "duplicate key"),
        ("quiet = true\nverbose = true", 1, "cannot be used with"),
        ("\nby = 'disk'", 2, "--window <SECONDS>"),
        ("where = 'n >'", 1, "--where"),
        ("files = 'a'", 1, "files is an array"),
        ("lifetime = 0", 1, "lifetime is a number of seconds above 0"),
        ("config = 'x'", 1, "no key is called 'config'"),
        ("run = 'x'", 1, "commands are tables: [[run]]"),
        ("[run]\ntool = 'x'", 1, "commands are tables: [[run]]"),
        ("\n[serv]\nlisten = 1", 2, "no table is called 'serv'; did you mean 'serve'?"),
        ("[serve]\nlisen = 1", 2, "no key is called 'serve.lisen'; did you mean 'listen'?"),
        ("[serve]\ntoken = 'x'", 2, "--serve <ADDR>"),
        ("[otlp]\nurl = 'http://127.0.0.1:1'\ninterval = 0", 3, "at least 0.001"),
        (
            "[[run]]\ntool = 'bioltop'",
            2,
            "cannot run 'bioltop': No such file or directory (os error 2); did you mean 'biolat'?",
        ),
        (
            "[[run]]\ntool = 'true'\nby = 'x'",
            2,
            "'true' does not tell its options: write the whole line into command",
        ),
        ("[[run]]\ntool = './tool'\nbucket = true", 3, "has no option 'bucket'; did you mean 'buckets'?"),
        ("[[run]]\ntool = './tool'\nbuckets = 1", 3, "buckets is true or false"),
        ("[[run]]\ninterval = 1\nby = 'nobody'\ntool = './tool'", 3, "invalid value 'nobody'"),
        ("[[run]]\ntool = './tool'\ncount = 3", 3, "count needs an interval"),
        ("\n[[run]]\nname = 'x'", 2, "either tool or command"),
        ("[[run]]\ncommand = \"sh -c 'x\"", 2, "a quote is not closed"),
        ("[[run]]\ncommand = 'x'\nby = 'process'", 3, "write it into command"),
        (
            "[[run]]\ncommand = 'x'\nname = 'n'\n[[run]]\nname = 'n'\ncommand = 'y'",
            5,
            "two commands are called 'n'",
        ),
    ] {
        streams.write("file.toml", file);
        for option in ["--validate", ""] {
            let output = streams.shell(&format!("ebpfmux --config file.toml {option}"));
            let shown = format!("{file:?} {option}: {:?}: {}", output.status, output.err);
            assert_eq!(
                (output.status, output.out.as_str(), output.err.lines().count()),
                (Some(2), "", 1),
                "{shown}"
            );
            assert!(output.err.starts_with(&format!("ebpfmux: file.toml:{line}: ")), "{shown}");
            assert!(output.err.contains(parts), "{shown}: not {parts:?}");
        }
    }
    streams.write("good.toml", "window = 1\n").write("text", [0xff, b'\n']);
    for (arguments, said) in [
        ("--config none.toml", "cannot read none.toml: No such file"),
        ("--config text", "cannot read text: stream did not contain valid UTF-8"),
        (
            "--config good.toml --window 3",
            "--window <SECONDS> does not go with --config: write it into good.toml",
        ),
        ("--config good.toml file", "does not go with --config"),
        ("--validate", "--config <FILE>"),
    ] {
        let output = streams.shell(&format!("ebpfmux {arguments}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{arguments}: {}", output.err);
        assert!(output.err.contains(said), "{arguments}: {}", output.err);
    }
}

/// Prints numbered records until it is stopped, and after the last writes how many there were.
fn counter(files: &Files, name: &str) -> String {
    // Without another process, which the signal would reach, too.
    let body = format!(
        "{NOW}exec 3<> <(:); n=0; go=1; trap 'go=' INT; echo $$ > {0}.pid\n\
         while [ $go ]; do n=$((n + 1)); now; echo '{{\"ts\":\"'$ts'\",\"host\":\"h\",\"tool\":\"'$1'\",\"interval_s\":1,\"n\":'$n'}}'; \
         read -rt 0.02 -u 3; done\n\
         echo \"$1 $n\" >> {1}",
        files.path(name),
        files.path("printed"),
    );
    let body = files.write(&format!("{name}.bash"), body);
    script(files, name, &format!("exec bash {body} $1")).display().to_string()
}

#[test]
fn a_reload_changes_what_has_changed_and_loses_nothing() {
    let files = Files::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| counter(&files, name));
    let command = |path: &str, word: &str| format!("[[run]]\ncommand = '{path} {word}'\n");
    let file = files.write("file.toml", command(&a, "a1") + &command(&b, "b1"));
    let live = Live::start(mux(&["--config", &file, "-q"]));
    let pid = |name: &str| line_in(Path::new(&files.path(&format!("{name}.pid"))));
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    // What each has printed so far, in order and without a gap.
    let mut take = |line: &str| {
        let [record] = &objects(line)[..] else { panic!("{line}") };
        let count = records.entry(record["tool"].as_str().unwrap().to_owned()).or_default();
        *count += 1;
        assert_eq!(record["n"].as_u64(), Some(*count), "{line}");
        record["tool"].as_str().unwrap().to_owned()
    };
    let mut until_each = |names: &[&str]| {
        let mut seen = std::collections::BTreeSet::new();
        while !names.iter().all(|name| seen.contains(*name)) {
            seen.insert(take(&live.line()));
        }
    };
    until_each(&["a1", "b1"]);
    let first = ["a", "b"].map(pid);
    // One stays, one has another argument, one is new.
    files.write("file.toml", command(&a, "a1") + &command(&b, "b2") + &command(&c, "c1"));
    live.signal(Signal::HUP);
    until_each(&["b2", "c1", "a1"]);
    assert_eq!(pid("a"), first[0]);
    assert!(pid("b") != first[1] && !alive(&first[1]));
    // One remains; another comes back later.
    files.write("file.toml", command(&c, "c1"));
    live.signal(Signal::HUP);
    eventually("a and b to end", || (!alive(&first[0]) && !alive(&pid("b"))).then_some(()));
    until_each(&["c1"]);
    files.write("file.toml", command(&c, "c1") + &command(&a, "a2"));
    live.signal(Signal::HUP);
    until_each(&["a2", "c1"]);
    live.signal(Signal::INT);
    let (rest, code) = live.end();
    assert_eq!(code, Some(0));
    rest.iter().for_each(|line| {
        take(line);
    });
    let printed = std::fs::read_to_string(files.path("printed")).unwrap();
    let printed: BTreeMap<String, u64> = printed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, count)| (name.to_owned(), count.parse().unwrap()))
        .collect();
    assert_eq!(records, printed);
    assert_eq!(printed.keys().collect::<Vec<_>>(), ["a1", "a2", "b1", "b2", "c1"]);
}

#[test]
fn a_reload_of_a_wrong_file_changes_nothing() {
    let files = Files::new();
    let a = counter(&files, "a");
    let good = format!("lateness = 0\n[[run]]\ncommand = '{a} a'\n");
    let file = files.write("file.toml", &good);
    let mut command = mux(&["--config", &file]);
    let err = std::fs::File::create(files.path("err")).unwrap();
    let live = Live::start({
        command.stderr(Stdio::from(err));
        command
    });
    live.line();
    let pid = line_in(Path::new(&files.path("a.pid")));
    let said = |part: &str| {
        eventually(part, || std::fs::read_to_string(files.path("err")).unwrap().contains(part).then_some(()));
    };
    files.write("file.toml", "windw = 1\n");
    live.signal(Signal::HUP);
    said("file.toml:1: no key is called 'windw'; did you mean 'window'?; nothing is changed");
    files.write("file.toml", "[[run]]\ncommand = 'a' 'b'\n");
    live.signal(Signal::HUP);
    said("file.toml:2: ");
    // What only a new start can change is named, also in which commands change.
    files.write("file.toml", good.replace("lateness = 0", "lateness = 1\nstrict = true"));
    live.signal(Signal::HUP);
    said("takes effect when ebpfmux is started again: lateness, strict");
    // A command that cannot be run leaves the others alone.
    files.write("file.toml", good.clone() + "[[run]]\ncommand = '/none/such'\n");
    live.signal(Signal::HUP);
    said("cannot run '/none/such'");
    live.line();
    assert!(alive(&pid));
    live.signal(Signal::INT);
    assert_eq!(live.end().1, Some(0));
}

#[test]
fn a_lifetime_ends_a_command() {
    let files = Files::new();
    let [a, b] = ["a", "b"].map(|name| counter(&files, name));
    // b's own is the shorter.
    let text =
        format!("lifetime = 0.6\n[[run]]\ncommand = '{a} a'\n[[run]]\ncommand = '{b} b'\nlifetime = 0.2\n");
    let file = files.write("file.toml", text);
    let (lines, code) = Live::start(mux(&["--config", &file])).end();
    let printed = std::fs::read_to_string(files.path("printed")).unwrap();
    let names: Vec<&str> = printed.lines().filter_map(|line| Some(line.split_once(' ')?.0)).collect();
    assert_eq!((names, code), (vec!["b", "a"], Some(0)));
    let total: usize = printed.lines().filter_map(|line| line.split_once(' ')?.1.parse::<usize>().ok()).sum();
    assert_eq!(lines.len(), total);
}
