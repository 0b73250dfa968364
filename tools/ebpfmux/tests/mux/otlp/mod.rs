//! `--otlp`.

mod odd_answers;
