//! The declaration of a record's fields: kind, unit and meaning.
//!
//! Each tool declares them once, next to the fields, and prints them with `--schema`. The schemas
//! of all tools are in `schemas/` and included in this crate; [`Schemas::declare`] adds those of
//! another program.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// How the values of one field in several records are combined.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// When the record was made.
    Time,
    /// The length of the interval.
    Interval,
    /// What the clock was set by.
    Step,
    /// Distinguishes the records of one interval.
    Key,
    /// Text that describes one event.
    Text,
    /// Text that only explains, on the first record of what it explains: no key.
    Note,
    /// A number that describes one event.
    Value,
    /// Events or amounts: they add.
    Counter,
    /// A level at the end of the interval: the last one counts; those of several hosts or keys add.
    Gauge,
    /// The smallest value.
    Minimum,
    /// The largest value.
    Maximum,
    /// The mean of as many values as the named counter says.
    Mean(String),
    /// The value that this share (0 to 1) of all values does not exceed.
    Percentile(Percentile),
    /// The sum of terms, divided by a counter; rounded down to so many digits after the point, if any are named.
    Ratio(Vec<Term>, String, Option<i32>),
    /// A sum of terms.
    Difference(Vec<Term>),
    /// A histogram: pairs of an upper bound and a count.
    Buckets,
    /// The same, with bounds of its own in any unit, of which percentiles are the bounds.
    Bounds,
}

/// The field that only the first record after a step of the clock has.
pub const CLOCK_STEP: &str = "clock_step_s";

/// Where the percentile of several records comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentile {
    /// The share of all values, 0 to 1.
    pub quantile: f64,
    /// The buckets that it is computed from.
    pub of: String,
    /// The minimum and the maximum, between which it lies; none if the record has neither.
    pub within: Option<[String; 2]>,
}

/// A counter, or the amount by which it exceeds another one: at least 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The counter.
    pub of: String,
    /// What is subtracted.
    pub less: Option<String>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Events, or nothing that has a unit.
    #[default]
    None,
    /// Bytes.
    Bytes,
    /// Pages of memory.
    Pages,
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// The declaration of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// How its values are combined.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Whether its values are text, also where they look like numbers.
    pub text: bool,
    /// Its meaning, for a person, on one line.
    pub description: String,
    /// How a table shows it.
    pub column: Column,
}

/// How a table shows a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// How much it matters: where a line has no room for all, the highest are left out first. `None`: only tables of all
    /// columns have it.
    pub rank: Option<u8>,
    /// The text may be of any length: where it is cut. Such columns are the last of a line.
    pub cut: Option<Cut>,
    /// The cells of its longest usual value, if that is known: so the first lines are aligned with the later ones.
    pub width: Option<u8>,
    /// Whether any value but 0 means that something went wrong.
    pub alarm: bool,
}

/// Where a text is cut that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The end says most: a cgroup.
    Start,
    /// Both ends say more than the middle: a path, arguments.
    Middle,
    /// The beginning says most.
    End,
}

impl Field {
    /// The first sentence of the description.
    pub fn meaning(&self) -> &str {
        &self.description[..self.description.find(". ").map_or(self.description.len(), |end| end + 1)]
    }
}

/// The fields of one kind of record.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// In the order of a record.
    fields: IndexMap<String, Field>,
}

impl Schema {
    /// Reads a JSON Schema as `--schema` prints it: the tool's name, and its fields. A property
    /// without a kind is not a field.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<(String, Self), String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        let tool = schema["title"].as_str().ok_or("has no `title`, which names the tool")?;
        let properties = schema["properties"].as_object().ok_or("has no `properties`")?;
        let mut fields = IndexMap::new();
        for (name, property) in properties {
            let Some(word) = property.get("x-kind") else { continue };
            let kind = kind(word, property).ok_or_else(|| format!("`{name}`: no such kind: {word}"))?;
            let unit = match property.get("x-unit") {
                None => Unit::None,
                Some(word) => unit(word).ok_or_else(|| format!("`{name}`: no such unit: {word}"))?,
            };
            let words = property["description"].as_str().unwrap_or_default().split_whitespace();
            let description = words.collect::<Vec<_>>().join(" ");
            let text = matches!(kind, Kind::Time | Kind::Text | Kind::Note) || is_text(&property["type"]);
            let column = column(property)
                .ok_or_else(|| format!("`{name}`: a bad x-rank, x-cut, x-width or x-alarm"))?;
            fields.insert(name.clone(), Field { kind, unit, text, description, column });
        }
        Ok((tool.to_owned(), Self { fields }))
    }

    /// The declaration of a field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// All declarations, in the order of a record.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields.iter().map(|(name, field)| (name.as_str(), field))
    }

    /// Whether it is for intervals, not for events, which have no length.
    fn is_of_intervals(&self) -> bool {
        self.fields.values().any(|field| field.kind == Kind::Interval)
    }
}

/// Whether the type of a property is that of strings: `"string"`, or a list with it.
fn is_text(of: &Value) -> bool {
    of == "string" || of.as_array().is_some_and(|all| all.iter().any(|one| one == "string"))
}

fn kind(word: &Value, property: &Value) -> Option<Kind> {
    let of = || property["x-of"].as_str().map(str::to_owned);
    let terms = || {
        let term = |names: &Value| {
            let name = |at: usize| names.get(at)?.as_str().map(str::to_owned);
            Some(Term { of: name(0)?, less: name(1) })
        };
        property["x-part"].as_array()?.iter().map(term).collect::<Option<Vec<_>>>()
    };
    Some(match word.as_str()? {
        "time" => Kind::Time,
        "interval" => Kind::Interval,
        "step" => Kind::Step,
        "key" => Kind::Key,
        "text" => Kind::Text,
        "note" => Kind::Note,
        "value" => Kind::Value,
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "minimum" => Kind::Minimum,
        "maximum" => Kind::Maximum,
        "mean" => Kind::Mean(of()?),
        "percentile" => {
            let name = |key: &str| property[key].as_str().map(str::to_owned);
            let within = name("x-min").zip(name("x-max")).map(|(min, max)| [min, max]);
            Kind::Percentile(Percentile { quantile: property["x-quantile"].as_f64()?, of: of()?, within })
        }
        "ratio" => {
            let digits = property["x-digits"].as_i64().and_then(|digits| i32::try_from(digits).ok());
            Kind::Ratio(terms()?, property["x-whole"].as_str()?.to_owned(), digits)
        }
        "difference" => Kind::Difference(terms()?),
        "buckets" => Kind::Buckets,
        "bounds" => Kind::Bounds,
        _ => return None,
    })
}

fn unit(word: &Value) -> Option<Unit> {
    Some(match word.as_str()? {
        "bytes" => Unit::Bytes,
        "pages" => Unit::Pages,
        "seconds" => Unit::Seconds,
        "microseconds" => Unit::Microseconds,
        "nanoseconds" => Unit::Nanoseconds,
        _ => return None,
    })
}

/// `None` if one of its words means nothing.
fn column(property: &Value) -> Option<Column> {
    let number = |key: &str| match property.get(key) {
        None => Some(None),
        Some(number) => Some(Some(u8::try_from(number.as_u64()?).ok()?)),
    };
    let cut = match property.get("x-cut").map(Value::as_str) {
        None => None,
        Some(Some("start")) => Some(Cut::Start),
        Some(Some("middle")) => Some(Cut::Middle),
        Some(Some("end")) => Some(Cut::End),
        Some(_) => return None,
    };
    let alarm = property.get("x-alarm").map_or(Some(false), Value::as_bool)?;
    Some(Column { rank: number("x-rank")?, cut, width: number("x-width")?, alarm })
}

/// Whether this is the name of one of the tools.
pub fn is_tool(name: &str) -> bool {
    tools().any(|tool| tool == name)
}

/// The names of the tools; those with two forms of records come twice.
pub fn tools() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().filter_map(|(file, _)| file.split('.').next())
}

/// The forms of a tool's records, those of intervals first: whether it is for events, and the
/// fields in their order.
pub fn documents(tool: &str) -> Vec<(bool, IndexMap<String, Field>)> {
    let parsed = TOOLS.iter().filter_map(|(_, text)| Schema::parse(text).ok()).filter(|(of, _)| of == tool);
    let mut documents: Vec<_> =
        parsed.map(|(_, schema)| (!schema.is_of_intervals(), schema.fields)).collect();
    documents.sort_by_key(|(events, _)| *events);
    documents
}

/// The fields of the records of these tools, form by form; what cannot be read is left out.
pub fn fields_of(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, Field)> {
    let of = move |file: &str| file.split('.').next().is_some_and(&wanted);
    let texts = TOOLS.iter().filter(move |(file, _)| of(file)).map(|(_, text)| text);
    texts.filter_map(|text| Schema::parse(text).ok()).flat_map(|(_, schema)| schema.fields)
}

/// The declarations of the fields of all known records.
#[derive(Clone, Debug)]
pub struct Schemas {
    /// By the tool's name.
    intervals: HashMap<String, Schema>,
    events: HashMap<String, Schema>,
    /// For programs without a declaration: the fields that all records have, and the keys that any
    /// record has.
    shared: Schema,
}

impl Default for Schemas {
    /// Those of the tools.
    fn default() -> Self {
        let mut schemas =
            Self { intervals: HashMap::new(), events: HashMap::new(), shared: Schema::default() };
        for (name, text) in TOOLS {
            let added = schemas.declare(text);
            debug_assert!(added.is_ok(), "{name}: {added:?}");
        }
        schemas.shared = schemas.shared();
        schemas
    }
}

impl Schemas {
    /// Adds the schema of another program, as its `--schema` prints it; returns the program's name.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn declare(&mut self, text: &str) -> Result<String, String> {
        let (tool, schema) = Schema::parse(text)?;
        let of = if schema.is_of_intervals() { &mut self.intervals } else { &mut self.events };
        of.insert(tool.clone(), schema);
        Ok(tool)
    }

    fn shared(&self) -> Schema {
        let mut all = self.intervals.values();
        let mut fields = all.next().map_or_else(IndexMap::new, |first| first.fields.clone());
        for schema in all {
            fields.retain(|name, field| schema.field(name) == Some(field));
        }
        let keys = self.intervals.values().chain(self.events.values()).flat_map(|schema| &schema.fields);
        for (name, field) in keys.filter(|(_, field)| field.kind == Kind::Key) {
            fields.entry(name.clone()).or_insert_with(|| field.clone());
        }
        Schema { fields }
    }

    /// The declarations for a tool's records, of intervals or of events.
    pub fn of(&self, tool: &str, events: bool) -> OfTool<'_> {
        let of = if events { &self.events } else { &self.intervals };
        OfTool { own: of.get(tool), shared: &self.shared }
    }
}

/// The declarations for a tool's records: the tool's own, and the shared ones.
#[derive(Clone, Copy)]
pub struct OfTool<'a> {
    own: Option<&'a Schema>,
    shared: &'a Schema,
}

impl<'a> OfTool<'a> {
    /// The declaration of a field; `None` if there is none.
    pub fn field(&self, name: &str) -> Option<&'a Field> {
        self.own.and_then(|schema| schema.field(name)).or_else(|| self.shared.field(name))
    }

    /// Whether all records of intervals have this field.
    pub fn is_shared(&self, name: &str) -> bool {
        self.shared.field(name).is_some()
    }
}
