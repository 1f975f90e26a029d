//! Graphs that are built at run time: the same as derived ones, and refused for the same reasons.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::ignored_unit_patterns,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes and nodes are written"
)]

mod common;

#[path = "builder/alike.rs"]
mod alike;
#[path = "builder/any.rs"]
mod any;
#[path = "builder/named.rs"]
mod named;
#[path = "builder/refused.rs"]
mod refused;
