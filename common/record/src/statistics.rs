//! The statistics of a histogram as fields of a record. The name of each field, its kind, its text and its value stand
//! together, once, for all histograms that a record can have.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::histogram::Summary;

/// What tells the fields of one histogram in a record from those of another.
pub trait Words {
    /// Begins the names of the fields.
    const PREFIX: &'static str;
    /// What the count counts.
    const COUNT: &'static str;
    /// Whether a record may have no such histogram: then the count is null, too.
    const OPTIONAL: bool;
    /// What a value did so long: "took", "waited".
    const VERB: &'static str;
    /// Ends the text of the smallest value.
    const NONE: &'static str;
    /// Which fields a table shows, by their names without the prefix, and how much each matters: the lowest first.
    const RANKS: &'static [(&'static str, u8)];
}

/// The statistics of one histogram; without any value unless they are made of a summary.
#[derive(Clone, Debug)]
pub struct Statistics<W> {
    summary: Option<Summary>,
    words: PhantomData<W>,
}

/// The fields of every latency record. Percentiles are at most 3.2 % off; all else is exact.
pub type Latency = Statistics<Took>;

/// The words of [`Latency`].
#[derive(Clone, Debug)]
pub struct Took;

impl Words for Took {
    const PREFIX: &'static str = "";
    const COUNT: &'static str = "How many were measured.";
    const OPTIONAL: bool = false;
    const VERB: &'static str = "took";
    const NONE: &'static str = "; null where there was none";
    const RANKS: &'static [(&'static str, u8)] =
        &[("count", 2), ("p99_us", 2), ("p50_us", 3), ("max_us", 3), ("mean_us", 5)];
}

impl<W> Default for Statistics<W> {
    fn default() -> Self {
        Self { summary: None, words: PhantomData }
    }
}

impl<W> From<Summary> for Statistics<W> {
    fn from(summary: Summary) -> Self {
        Self { summary: Some(summary), words: PhantomData }
    }
}

impl<W> Statistics<W> {
    /// What the fields are of; `None` if there is no such histogram.
    pub fn get(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

/// A field beside the count.
struct Field {
    /// The end of its name.
    name: &'static str,
    kind: Kind,
    value: fn(&Summary) -> Option<f64>,
}

enum Kind {
    Minimum,
    Mean,
    /// Which share of the values, and in words.
    Percentile(f64, &'static str),
    Maximum,
}

const FIELDS: [Field; 7] = [
    Field { name: "min_us", kind: Kind::Minimum, value: |of| of.min },
    Field { name: "mean_us", kind: Kind::Mean, value: |of| of.mean },
    Field { name: "p50_us", kind: Kind::Percentile(0.5, "Half"), value: |of| of.p50 },
    Field { name: "p90_us", kind: Kind::Percentile(0.9, "90 %"), value: |of| of.p90 },
    Field { name: "p99_us", kind: Kind::Percentile(0.99, "99 %"), value: |of| of.p99 },
    Field { name: "p999_us", kind: Kind::Percentile(0.999, "99.9 %"), value: |of| of.p999 },
    Field { name: "max_us", kind: Kind::Maximum, value: |of| of.max },
];

/// The name of a field of a histogram. Most have no prefix, and each record has each of these names.
fn named<W: Words>(name: &'static str) -> Cow<'static, str> {
    if W::PREFIX.is_empty() { name.into() } else { format!("{}{name}", W::PREFIX).into() }
}

impl<W: Words> Serialize for Statistics<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + FIELDS.len()))?;
        let count = self.summary.map(|of| of.count);
        map.serialize_entry(&named::<W>("count"), &if W::OPTIONAL { count } else { count.or(Some(0)) })?;
        for field in &FIELDS {
            let value = self.summary.as_ref().and_then(field.value);
            map.serialize_entry(&named::<W>(field.name), &value)?;
        }
        map.end()
    }
}

impl<W: Words> JsonSchema for Statistics<W> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        named::<W>("statistics")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = named::<W>("count");
        let whole = if W::OPTIONAL { json!(["integer", "null"]) } else { json!("integer") };
        let mut counter = Map::from_iter([
            ("description".to_owned(), json!(W::COUNT)),
            ("type".to_owned(), whole),
            ("format".to_owned(), json!("uint64")),
            ("minimum".to_owned(), json!(0)),
            ("x-kind".to_owned(), json!("counter")),
        ]);
        rank::<W>("count", &mut counter);
        let mut properties = Map::from_iter([(count.to_string(), Value::Object(counter))]);
        properties
            .extend(FIELDS.iter().map(|field| (named::<W>(field.name).into_owned(), declared::<W>(field))));
        let required = if W::OPTIONAL { Vec::new() } else { vec![count] };
        schemars::json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

/// What the schema says of a field beside the count.
fn declared<W: Words>(field: &Field) -> Value {
    let (kind, text) = match field.kind {
        Kind::Minimum => ("minimum", format!("The shortest, in microseconds{}.", W::NONE)),
        Kind::Mean => ("mean", "The mean, in microseconds: exact.".to_owned()),
        Kind::Percentile(_, share) => {
            ("percentile", format!("{share} {} at most this long, in microseconds.", W::VERB))
        }
        Kind::Maximum => ("maximum", "The longest, in microseconds.".to_owned()),
    };
    let mut declared = Map::from_iter([
        ("description".to_owned(), json!(text)),
        ("type".to_owned(), json!(["number", "null"])),
        ("format".to_owned(), json!("double")),
        ("x-kind".to_owned(), json!(kind)),
        ("x-unit".to_owned(), json!("microseconds")),
    ]);
    let mut say = |name: &str, value: Value| declared.insert(name.to_owned(), value);
    match field.kind {
        Kind::Mean => drop(say("x-of", json!(named::<W>("count")))),
        Kind::Percentile(share, _) => {
            say("x-quantile", json!(share));
            say("x-of", json!(named::<W>("buckets")));
            say("x-min", json!(named::<W>("min_us")));
            say("x-max", json!(named::<W>("max_us")));
        }
        Kind::Minimum | Kind::Maximum => {}
    }
    rank::<W>(field.name, &mut declared);
    Value::Object(declared)
}

/// Says how much a field matters in a table.
fn rank<W: Words>(name: &str, declared: &mut Map<String, Value>) {
    if let Some((_, rank)) = W::RANKS.iter().find(|(known, _)| *known == name) {
        declared.insert("x-rank".to_owned(), json!(rank));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Waited;

    impl Words for Waited {
        const PREFIX: &'static str = "wait_";
        const COUNT: &'static str = "How many waits are known.";
        const OPTIONAL: bool = true;
        const VERB: &'static str = "waited";
        const NONE: &'static str = "";
        const RANKS: &'static [(&'static str, u8)] = &[("p99_us", 3)];
    }

    fn json(of: &impl Serialize) -> String {
        serde_json::to_string(of).unwrap()
    }

    #[test]
    fn a_record_has_each_field_with_its_value() {
        let us = |value: f64| Some(value);
        let summary = Summary {
            count: 9,
            min: us(1.0),
            mean: us(2.0),
            p50: us(3.0),
            p90: us(4.0),
            p99: us(5.0),
            p999: us(6.0),
            max: us(7.0),
        };
        assert_eq!(
            json(&Latency::from(summary)),
            r#"{"count":9,"min_us":1.0,"mean_us":2.0,"p50_us":3.0,"p90_us":4.0,"p99_us":5.0,"p999_us":6.0,"max_us":7.0}"#
        );
        assert!(
            json(&Statistics::<Waited>::from(summary)).starts_with(r#"{"wait_count":9,"wait_min_us":1.0,"#)
        );
    }

    #[test]
    fn without_a_histogram_there_is_no_count() {
        assert!(json(&Latency::default()).starts_with(r#"{"count":0,"min_us":null,"#));
        assert!(
            json(&Statistics::<Waited>::default()).starts_with(r#"{"wait_count":null,"wait_min_us":null,"#)
        );
    }

    #[test]
    fn fields_are_declared_under_their_own_names() {
        let schema = Statistics::<Waited>::json_schema(&mut SchemaGenerator::default());
        let of = |field: &str, say: &str| schema.as_value()["properties"][field][say].clone();
        assert_eq!(of("wait_p99_us", "x-of"), "wait_buckets");
        assert_eq!(of("wait_p99_us", "description"), "99 % waited at most this long, in microseconds.");
        assert_eq!(
            (of("wait_mean_us", "x-of"), of("wait_count", "x-kind")),
            ("wait_count".into(), "counter".into())
        );
        assert_eq!(schema.as_value()["required"], json!([]));
    }
}
