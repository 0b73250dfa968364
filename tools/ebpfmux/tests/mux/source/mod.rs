//! What comes in: forms, damage, and sources that are still being written.

mod bad_input;
mod csv;
mod forms;
mod live;
mod replay;
