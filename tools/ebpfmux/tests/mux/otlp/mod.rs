//! `--otlp`.

mod odd_answers;
mod points;
mod receiver;
mod trouble;
