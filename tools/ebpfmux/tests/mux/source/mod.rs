//! What comes in: forms, damage, and sources that are still being written.

mod csv;
mod forms;
mod live;
mod replay;
