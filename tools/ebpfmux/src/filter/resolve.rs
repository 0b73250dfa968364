//! A record as seen by expressions and selections: of one tool, or a joined one with several tools.

use std::borrow::Cow;

use crate::record::keys::{JOINED, keys, unescape};
use crate::record::{Fields, Value, find};

/// A record whose names are resolved.
pub struct Resolver<'a> {
    /// Its fields.
    pub fields: &'a Fields<'a>,
    joined: bool,
    groups: Vec<Group<'a>>,
}

/// The fields of one tool and key in a record.
struct Group<'a> {
    host: Cow<'a, str>,
    tool: Cow<'a, str>,
    keys: Vec<Cow<'a, str>>,
    /// In a joined record: the fields' names, and their indexes in the record.
    fields: Vec<(Cow<'a, str>, usize)>,
}

/// The meaning of a name in a record.
#[derive(Debug, PartialEq)]
pub enum Place<'a> {
    /// The field with this index.
    Field(usize),
    /// The field with this name in each of these groups: the name has no keys, and the record is a
    /// joined one.
    Each(Vec<usize>, &'a str),
    /// A field of a tool or key that is not in this record.
    Elsewhere,
    /// There is no such field.
    Missing,
}

impl<'a> Resolver<'a> {
    /// Resolves a record's groups.
    pub fn new(fields: &'a Fields<'a>) -> Self {
        let text = |name| match find(fields, name) {
            Some(Value::Text(text)) => Cow::Borrowed(text.as_ref()),
            _ => Cow::Borrowed(""),
        };
        let (host, tool) = (text("host"), text("tool"));
        let joined = tool == JOINED;
        let groups = match joined {
            true => groups(fields, &host),
            false => vec![Group { host, tool, keys: keys(fields).collect(), fields: Vec::new() }],
        };
        Self { fields, joined, groups }
    }

    /// Whether it is a joined record.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Resolves a name, given as parts.
    pub fn place<'p, S: AsRef<str>>(&self, path: &'p [S]) -> Place<'p> {
        let (first, last) = match path {
            [only] => return self.named(only.as_ref()),
            [first, _] if first.as_ref() == "record" => return self.named(path[1].as_ref()),
            [first, .., last] => (first.as_ref(), last.as_ref()),
            [] => return Place::Missing,
        };
        let middle = &path[1..path.len() - 1];
        let is_of = |group: &Group<'_>, tool: &str, keys: &[S]| {
            group.tool == tool
                && (keys.is_empty()
                    || keys.len() == group.keys.len()
                        && keys.iter().zip(&group.keys).all(|(a, b)| a.as_ref() == b))
        };
        // TOOL[.KEY…].FIELD or HOST.TOOL[.KEY…].FIELD
        let with_host = |group: &Group<'_>| {
            group.host == first
                && middle.first().is_some_and(|tool| is_of(group, tool.as_ref(), &middle[1..]))
        };
        let (mut of_tool, mut has_field, mut found) = (false, false, Vec::new());
        for (at, group) in self.groups.iter().enumerate() {
            let same_tool = group.tool == first
                || group.host == first && middle.first().is_some_and(|tool| group.tool == tool.as_ref());
            if same_tool {
                let there = self.field(at, last).is_some();
                (of_tool, has_field) = (true, has_field || there);
                if there && (is_of(group, first, middle) || with_host(group)) {
                    found.push(at);
                }
            }
        }
        match found[..] {
            [] if of_tool && !has_field => Place::Missing,
            [] => Place::Elsewhere,
            [at] => self.field(at, last).map_or(Place::Missing, Place::Field),
            _ => Place::Each(found, last),
        }
    }

    fn named(&self, name: &str) -> Place<'static> {
        let at = self.fields.iter().position(|(known, _)| known == name);
        at.map_or(Place::Missing, Place::Field)
    }

    /// The index of a group's field.
    pub fn field(&self, group: usize, name: &str) -> Option<usize> {
        match self.joined {
            true => self.groups[group].fields.iter().find(|(known, _)| known == name).map(|(_, at)| *at),
            false => self.fields.iter().position(|(known, _)| known == name),
        }
    }

    /// Whether two groups are of one host.
    pub fn same_host(&self, one: usize, other: usize) -> bool {
        self.groups[one].host == self.groups[other].host
    }

    /// Its description for messages: tool, host, keys, time.
    pub fn describe(&self) -> String {
        let text = |name| find(self.fields, name).map_or("", Value::text);
        let mut description = format!("a record of {}", text("tool"));
        if !text("host").is_empty() {
            description += &format!(" of host {}", text("host"));
        }
        let keys: Vec<Cow<'_, str>> = keys(self.fields).collect();
        if !keys.is_empty() && !self.joined {
            description += &format!(" ({})", keys.join(", "));
        }
        description + " at " + text("ts")
    }

    /// Its names, for messages.
    pub fn names(&self) -> String {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_ref()).collect();
        let rest = names.len().saturating_sub(60);
        names.truncate(60);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        names.join(", ") + &more
    }
}

/// The groups of a joined record; names begin with the host if there are several.
fn groups<'a>(fields: &'a Fields<'a>, host: &Cow<'a, str>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut before = "";
    for (at, (name, _)) in fields.iter().enumerate() {
        let Some((prefix, field)) = name.rsplit_once('.') else { continue };
        // The fields of a group are mostly adjacent.
        if prefix != before || groups.is_empty() {
            before = prefix;
            let mut parts = prefix.split('.').map(unescape);
            let host = if host.is_empty() { parts.next().unwrap_or_default() } else { host.clone() };
            let (tool, keys) = (parts.next().unwrap_or_default(), parts.collect());
            let same = |group: &Group<'a>| group.host == host && group.tool == tool && group.keys == keys;
            match groups.iter().position(same) {
                Some(at) => {
                    let last = groups.len() - 1;
                    groups.swap(at, last);
                }
                None => groups.push(Group { host, tool, keys, fields: Vec::new() }),
            }
        }
        if let Some(group) = groups.last_mut() {
            group.fields.push((unescape(field), at));
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    fn place(line: &str, name: &str) -> String {
        let fields = from_json(line.as_bytes()).unwrap();
        let path: Vec<&str> = name.split('.').collect();
        match Resolver::new(&fields).place(&path) {
            Place::Field(at) => fields[at].1.text().to_owned(),
            Place::Each(groups, field) => format!("{} of {}", field, groups.len()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn names_of_a_tools_record() {
        let line = r#"{"ts":"x","host":"web","tool":"biolat","disk":"vda","op":"read","pid":7,"p99_us":1.5}"#;
        for name in
            ["p99_us", "record.p99_us", "biolat.p99_us", "biolat.vda.read.7.p99_us", "web.biolat.p99_us"]
        {
            assert_eq!(place(line, name), "1.5", "{name}");
        }
        for name in ["biolat.vda.write.7.p99_us", "proclife.forks", "biolta.p99_us", "db.biolat.p99_us"] {
            assert_eq!(place(line, name), "Elsewhere", "{name}");
        }
        for name in ["p9_us", "biolat.p9_us", "biolat.vda.read.7.p9_us", "record.x"] {
            assert_eq!(place(line, name), "Missing", "{name}");
        }
    }

    #[test]
    fn names_of_a_joined_record() {
        let line = r#"{"ts":"x","host":"web","tool":"ebpfmux","biolat.vda.read.p99_us":1.5,"biolat.vda.write.p99_us":2,"p.forks":3,"q.a%2Eb.n":4}"#;
        for (name, means) in [
            ("biolat.p99_us", "p99_us of 2"),
            ("biolat.vda.write.p99_us", "2"),
            ("p.forks", "3"),
            ("q.n", "4"),
            ("web.p.forks", "3"),
            ("biolat.vdb.read.p99_us", "Elsewhere"),
            ("biolat.p9_us", "Missing"),
            ("biolat.vda.read.p9_us", "Missing"),
            ("x.y", "Elsewhere"),
            ("record.p.forks", "Elsewhere"),
        ] {
            assert_eq!(place(line, name), means, "{name}");
        }
        let line = r#"{"ts":"x","tool":"ebpfmux","web1.p.n":1,"web2.p.n":2}"#;
        for (name, means) in [("p.n", "n of 2"), ("web2.p.n", "2"), ("web3.p.n", "Elsewhere")] {
            assert_eq!(place(line, name), means, "{name}");
        }
    }
}
