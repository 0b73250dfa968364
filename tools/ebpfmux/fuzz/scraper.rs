//! What Prometheus's own client library for Python reads of metrics, in a process that is asked again and again.
//! Included by the target and by the test on seeds.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ebpfmux::fuzz::Exposition;

/// Reads a length and so many bytes of each text; prints `ok` if both parse to the same samples, else what is wrong.
const READER: &str = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as newer
from prometheus_client.parser import text_string_to_metric_families as older

def samples(families):
    return {(s.name, tuple(sorted(s.labels.items()))): float(s.value) for family in families for s in family.samples}

def text():
    size = sys.stdin.buffer.read(8)
    return sys.stdin.buffer.read(int.from_bytes(size, "little")).decode() if size else None

while (plain := text()) is not None:
    open_metrics = text()
    try:
        old, new = samples(older(plain)), samples(newer(open_metrics))
        print("ok" if old == new else f"differ in {old.items() ^ new.items()}"[:1000].replace("\n", " "), flush=True)
    except Exception as error:
        print(repr(error)[:1000].replace("\n", " "), flush=True)
"#;

/// The process.
pub struct Scraper {
    child: Child,
    texts: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Scraper {
    /// Starts it.
    #[allow(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("python3");
        let texts = child.stdin.take().expect("a pipe");
        let verdicts = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, texts, verdicts }
    }

    /// Panics unless both texts can be read, and say the same.
    pub fn check(&mut self, exposition: &Exposition) {
        let mut message = Vec::new();
        for text in [&exposition.plain, &exposition.open] {
            message.extend((text.len() as u64).to_le_bytes());
            message.extend(text.as_bytes());
        }
        self.texts.write_all(&message).expect("it reads");
        let mut verdict = String::new();
        self.verdicts.read_line(&mut verdict).expect("it answers");
        assert_eq!(verdict, "ok\n", "{}\n{}", exposition.plain, exposition.open);
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
