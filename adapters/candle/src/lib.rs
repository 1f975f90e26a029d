#![doc = include_str!("../README.md")]

mod chat;
mod embed;
mod error;
mod fill;
mod model;
mod router;
mod session;
mod weights;

pub use embed::Embedder;
pub use error::LoadError;
pub use model::LocalModel;
pub use router::{SemanticRouter, newest_question};
