//! Tables for people: which columns fit on the screen, how wide they are, how long texts are cut, how numbers, times and
//! distributions are shown, and what is coloured. Nothing here needs BPF: tools and `ebpfmux` use it alike.
//!
//! Data goes: fields of a record ([`Cell`]), with what their schema says of them ([`column`]), into a [`Table`], which cuts
//! and lays them out ([`fit`]) for a [`Screen`].

pub mod column;
pub mod fit;
pub mod numbers;
mod options;
pub mod picture;
mod screen;
pub mod style;
mod table;
pub mod text;
mod zone;

pub use options::{Color, Options};
pub use screen::Screen;
pub use table::{Cell, Choice, Drawn, Line, Table};
pub use zone::Zone;
