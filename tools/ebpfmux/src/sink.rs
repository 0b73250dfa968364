//! Where the merge's records go: to stdout as they are, converted, or joined.

use common::exit::Result;

use crate::csv_out::CsvOut;
use crate::join::Join;
use crate::lines::Format;
use crate::output::Output;
use crate::record::{self, Fields};
use crate::table::Row;
use crate::ts::Nanos;

/// What is done to the records.
pub enum Form {
    /// One JSON object per line.
    Json,
    /// One table.
    Csv(CsvOut),
    /// Wide records.
    Join(Box<Join>),
}

/// The end of the merge.
pub struct Sink {
    /// What is done to the records.
    pub form: Form,
    /// Where they go.
    pub out: Output,
    row: Row,
    line: Vec<u8>,
}

impl Sink {
    /// A sink to stdout.
    pub fn new(form: Form) -> Self {
        Self { form, out: Output::stdout(), row: Row::default(), line: Vec::new() }
    }

    /// Whether the lines of a stream of this format can go out as they are.
    pub fn takes(&mut self, format: &Format) -> Result<bool> {
        match (&mut self.form, format) {
            (Form::Json, Format::Json) => Ok(true),
            (Form::Csv(csv), Format::Csv(table)) => csv.takes(&table.header, &table.names, &mut self.out),
            _ => Ok(false),
        }
    }

    /// Takes a record that cannot go out as it is. The inner error says why the line is no record after all.
    pub fn convert(
        &mut self,
        time: Nanos,
        line: &[u8],
        format: &Format,
    ) -> Result<std::result::Result<(), String>> {
        let Self { form, out, row, line: json } = self;
        let fields = match format {
            Format::Csv(table) => table.fields(line, row),
            _ => record::from_json(line),
        };
        match fields {
            Ok(fields) => write(form, time, &fields, json, out).map(Ok),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Prints what is still held.
    pub fn finish(&mut self) -> Result<()> {
        if let Form::Join(join) = &mut self.form {
            join.finish(&mut self.out)?;
        }
        self.out.flush()
    }
}

fn write(
    form: &mut Form,
    time: Nanos,
    fields: &Fields<'_>,
    json: &mut Vec<u8>,
    out: &mut Output,
) -> Result<()> {
    match form {
        Form::Json => {
            json.clear();
            record::to_json(fields, json);
            out.push(json)
        }
        Form::Csv(csv) => csv.write(fields, out),
        Form::Join(join) => join.add(time, fields, out),
    }
}
