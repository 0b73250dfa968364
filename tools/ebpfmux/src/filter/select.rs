//! `--select`: the fields to pass on.

use cli::exit::{Failure, Result};

use super::resolve::{Place, Resolver};
use crate::record::keys::unescape;
use crate::record::{Fields, Value};

/// The selected fields.
pub struct Select {
    items: Vec<Item>,
    records: u64,
}

struct Item {
    text: String,
    path: Vec<String>,
    seen: bool,
}

impl Select {
    /// Parses a list of names, separated by commas.
    pub fn new(text: &str) -> Result<Self> {
        let items: Vec<Item> = text
            .split(',')
            .map(str::trim)
            .map(|name| Item {
                text: name.to_owned(),
                path: name.split('.').map(|part| unescape(part).into_owned()).collect(),
                seen: false,
            })
            .collect();
        match items.iter().any(|item| item.path.iter().any(String::is_empty)) {
            true => Err(Failure::usage(format!("--select '{text}': a name is empty; see --help"))),
            false => Ok(Self { items, records: 0 }),
        }
    }

    /// The selected fields of a record, in the order of the list; `None` if all are fields of other
    /// tools. Fails if a name is misspelt.
    pub fn apply<'a>(&mut self, fields: &'a Fields<'a>) -> Result<Option<Fields<'a>>> {
        self.records += 1;
        let record = Resolver::new(fields);
        let mut chosen: Vec<usize> = Vec::with_capacity(self.items.len());
        let mut selected: Fields<'a> = Vec::with_capacity(self.items.len());
        for item in &mut self.items {
            let exact = fields.iter().position(|(name, _)| *name == item.text);
            let places = match exact.map_or_else(|| record.place(&item.path), Place::Field) {
                Place::Field(at) => vec![at],
                Place::Each(groups, name) => {
                    groups.into_iter().filter_map(|group| record.field(group, name)).collect()
                }
                // The column of an idle key is empty.
                Place::Elsewhere if record.is_joined() && item.path.len() > 2 => {
                    selected.push((item.text.clone().into(), Value::Null));
                    continue;
                }
                Place::Elsewhere => continue,
                Place::Missing => {
                    let remedy = match item.path.len() {
                        1 => "for records of several tools write TOOL.FIELD; ",
                        _ => "",
                    };
                    return Err(Failure::usage(format!(
                        "--select: `{}` is not in {}; {remedy}it has {}",
                        item.text,
                        record.describe(),
                        record.names()
                    )));
                }
            };
            item.seen = true;
            for at in places {
                if !chosen.contains(&at) {
                    chosen.push(at);
                    selected.push(fields[at].clone());
                }
            }
        }
        Ok((!chosen.is_empty()).then_some(selected))
    }

    /// Checks a record that `--where` dropped: names in it are not misspelt.
    pub fn held_back(&mut self, fields: &Fields<'_>) {
        self.records += 1;
        if self.items.iter().all(|item| item.seen) {
            return;
        }
        let record = Resolver::new(fields);
        for item in self.items.iter_mut().filter(|item| !item.seen) {
            let place = || matches!(record.place(&item.path), Place::Field(_) | Place::Each(..));
            item.seen = fields.iter().any(|(name, _)| *name == item.text) || place();
        }
    }

    /// At the end: fails if a name was in no record, including records dropped by `--where`.
    pub fn finish(&self) -> Result<()> {
        match self.items.iter().find(|item| !item.seen) {
            Some(item) if self.records > 0 => {
                Err(Failure::usage(format!("--select: no record had a `{}`", item.text)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{from_json, to_json};

    fn selected(names: &str, line: &str) -> Result<Option<String>> {
        let fields = from_json(line.as_bytes()).unwrap();
        let mut json = Vec::new();
        let selected = Select::new(names)?.apply(&fields)?;
        Ok(selected.map(|selected| {
            to_json(&selected, &mut json);
            String::from_utf8(json).unwrap().trim().to_owned()
        }))
    }

    #[test]
    fn fields_come_in_the_order_asked_for() {
        let line = r#"{"ts":"x","tool":"b","disk":"vda","n":1,"m":null}"#;
        assert_eq!(selected("m, n,b.n,ts", line).unwrap().unwrap(), r#"{"m":null,"n":1,"ts":"x"}"#);
        assert_eq!(selected("c.n", line).unwrap(), None);
        assert!(selected("x", line).unwrap_err().message.contains("`x`"));
        assert!(selected("b.x", line).is_err() && selected("a,,b", line).is_err());
        let line = r#"{"ts":"x","host":"h","tool":"ebpfmux","b.vda.r.n":1,"b.vda.w.n":2,"p.f":3}"#;
        assert_eq!(
            selected("b.n,b.vdb.w.n,p.f", line).unwrap().unwrap(),
            r#"{"b.vda.r.n":1,"b.vda.w.n":2,"b.vdb.w.n":null,"p.f":3}"#
        );
    }
}
