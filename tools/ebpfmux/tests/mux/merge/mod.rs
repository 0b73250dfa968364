//! The order of what comes out.

mod order;
