#![doc = include_str!("../README.md")]

mod error;
mod model;
mod reply;
mod request;
#[cfg(feature = "tiktoken")]
mod tokens;

pub use model::{RigModel, openai_compatible};
pub use rig_core as rig;
#[cfg(feature = "tiktoken")]
pub use tokens::o200k_tokens;
