#![doc = include_str!("../README.md")]

mod error;
mod model;
mod reply;
mod request;

pub use model::{RigModel, openai_compatible};
pub use rig_core as rig;
