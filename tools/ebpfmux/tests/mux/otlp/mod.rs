//! `--otlp`.

mod odd_answers;
mod points;
mod spans;
mod trouble;
