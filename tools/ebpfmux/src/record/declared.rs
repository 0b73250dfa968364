//! Declarations of the fields of records: those of the tools, which are built in, and of other
//! programs by `--schema`. Nothing is guessed from a name.

use std::sync::{Mutex, OnceLock, PoisonError};

use record::fields::{Field, Kind, OfTool, Schemas};

use super::keys::{JOINED, unescape};
use super::{Fields, Value, find};
use crate::note::note;

/// Set once, before the first record is read.
static SCHEMAS: OnceLock<Schemas> = OnceLock::new();

/// Undeclared fields already reported, and the maximum number of such reports.
static NOTED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
const NOTED_AT_MOST: usize = 20;
/// The maximum length of the names in them, in characters.
const NAME_AT_MOST: usize = 100;

/// Adds declarations to the built-in ones. To be called before the first record is read, or never.
pub fn declare(schemas: Schemas) {
    // A second call would be too late: declarations in use do not change.
    let _ = SCHEMAS.set(schemas);
}

fn schemas() -> &'static Schemas {
    #[cfg(test)]
    return SCHEMAS.get_or_init(tests::made_up);
    #[cfg(not(test))]
    SCHEMAS.get_or_init(Schemas::default)
}

/// The declarations for one record.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    tool: &'a str,
    /// Looked up once for all fields.
    of_tool: OfTool<'static>,
    /// Otherwise a joined record is of several hosts, and its names begin with the host.
    has_host: bool,
}

impl<'a> Declared<'a> {
    /// The declarations for this record.
    pub fn of(fields: &'a Fields<'_>) -> Self {
        let tool = find(fields, "tool").map_or("", Value::text);
        Self::of_tool(tool, |name| find(fields, name).is_some())
    }

    /// The declarations for records of a tool that have these fields.
    pub fn of_tool(tool: &'a str, has: impl Fn(&str) -> bool) -> Self {
        Self { tool, of_tool: schemas().of(tool, !has("interval_s")), has_host: has("host") }
    }

    /// The declaration of a field, and the prefix of its name in a joined record.
    pub fn field<'n>(&self, name: &'n str) -> Option<(&'static Field, &'n str)> {
        let Some((before, last)) = name.rsplit_once('.').filter(|_| self.tool == JOINED) else {
            return Some((self.of_tool.field(name)?, ""));
        };
        let tool = before.split('.').nth(usize::from(!self.has_host))?;
        Some((schemas().of(&unescape(tool), false).field(&unescape(last))?, &name[..=before.len()]))
    }

    /// How the values of a field are aggregated; `None` if undeclared.
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.field(name).map(|(field, _)| &field.kind)
    }

    /// Whether a field is of the whole system in every interval, independent of keys: losses, and
    /// what the tool's own programs cost and occupy. Its value is on the interval's first record: a counter is 0 on the
    /// others, a gauge null.
    pub fn is_of_system(&self, name: &str) -> bool {
        matches!(self.kind(name), Some(Kind::Counter | Kind::Gauge)) && self.of_tool.is_shared(name)
    }

    /// Reports once that a field is undeclared, and how it is handled.
    pub fn undeclared(&self, name: &str, option: &str, done: &str) {
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= NOTED_AT_MOST {
            return;
        }
        let cut = |text: &str| text.chars().take(NAME_AT_MOST).collect::<String>();
        let (tool, name) = (cut(self.tool), cut(name));
        if noted.iter().any(|known| known.0 == tool && known.1 == name) {
            return;
        }
        note(&format!(
            "{option}: nothing declares what `{name}` of {tool} is: {done} (--schema FILE declares it)"
        ));
        noted.push((tool, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    /// The tools' own, and those of tools that only tests have.
    pub fn made_up() -> Schemas {
        let mut schemas = Schemas::default();
        for tool in ["t", "t-x", "b"] {
            let declared = format!(
                r#"{{"title": "{tool}", "properties": {{
                    "interval_s": {{"x-kind": "interval", "x-unit": "seconds"}},
                    "n": {{"x-kind": "counter", "description": "Things that came. More of it."}},
                    "read_bytes": {{"x-kind": "counter", "x-unit": "bytes"}},
                    "zombies": {{"x-kind": "gauge"}},
                    "count": {{"x-kind": "counter"}},
                    "min_us": {{"x-kind": "minimum", "x-unit": "microseconds"}},
                    "max_us": {{"x-kind": "maximum", "x-unit": "microseconds"}},
                    "mean_us": {{"x-kind": "mean", "x-unit": "microseconds", "x-of": "count"}},
                    "p99_us": {{"x-kind": "percentile", "x-quantile": 0.99, "x-of": "buckets"}},
                    "hit_ratio": {{"x-kind": "ratio", "x-part": [["n"]], "x-whole": "count"}},
                    "buckets": {{"x-kind": "buckets", "x-unit": "microseconds"}}
                }}}}"#
            );
            schemas.declare(&declared).unwrap();
        }
        schemas
    }

    fn kind(line: &str, name: &str) -> Option<&'static Kind> {
        Declared::of(&from_json(line.as_bytes()).unwrap()).kind(name)
    }

    #[test]
    fn fields_are_what_their_tool_declares() {
        let of = |tool: &str| format!(r#"{{"host":"a","tool":"{tool}","interval_s":1}}"#);
        assert_eq!(kind(&of("proclife"), "zombies"), Some(&Kind::Gauge));
        assert_eq!(kind(&of("proclife"), "forks"), Some(&Kind::Counter));
        assert_eq!(kind(&of("biolat"), "min_us"), Some(&Kind::Minimum));
        assert_eq!(kind(&of("biolat"), "queue_mean_us"), Some(&Kind::Mean("queue_count".into())));
        let Some(Kind::Percentile(percentile)) = kind(&of("biolat"), "p999_us") else {
            panic!("no percentile")
        };
        let within = Some(["min_us".to_owned(), "max_us".to_owned()]);
        assert_eq!((percentile.quantile, percentile.of.as_str()), (0.999, "buckets"));
        assert_eq!(percentile.within, within);
        assert_eq!(kind(&of("unheard_of"), "forks"), None);
        assert_eq!(kind(&of("unheard_of"), "lost"), Some(&Kind::Counter));
        assert_eq!(kind(&of("unheard_of"), "pid"), Some(&Kind::Key));
    }

    #[test]
    fn a_joined_records_names_say_the_tool() {
        let one = r#"{"host":"a","tool":"ebpfmux","interval_s":1}"#;
        assert_eq!(kind(one, "proclife.zombies"), Some(&Kind::Gauge));
        assert_eq!(kind(one, "biolat.vda.read.max_us"), Some(&Kind::Maximum));
        let several = r#"{"tool":"ebpfmux","interval_s":1}"#;
        assert_eq!(kind(several, "web.proclife.zombies"), Some(&Kind::Gauge));
        let fields = from_json(several.as_bytes()).unwrap();
        let (_, before) = Declared::of(&fields).field("web.biolat.vda.read.mean_us").unwrap();
        assert_eq!(before, "web.biolat.vda.read.");
    }
}
