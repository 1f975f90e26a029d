//! Sentences as points in a space where those that mean alike lie near.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use tokenizers::{Tokenizer, TruncationParams};

use crate::error::LoadError;

/// How many tokens of a text are read; of what follows, nothing is known.
const LONGEST: usize = 256;

/// A model that says where a sentence lies: `MiniLM`, or another sentence transformer of the kind of BERT whose
/// sentence is the mean of its words.
///
/// Clones share the weights.
#[derive(Clone)]
pub struct Embedder(Arc<Inner>);

struct Inner {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Embedder {
    /// Loads a model from its folder: `config.json`, `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    ///
    /// Fails if one of them cannot be read, or is that of a model of another kind.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, LoadError> {
        let read = |name: &str| {
            let path = folder.as_ref().join(name);
            fs::read(&path).map_err(|source| LoadError::File { path, source })
        };
        let config: Config = serde_json::from_slice(&read("config.json")?)
            .map_err(|_| LoadError::Unfit("`config.json` is not that of a BERT"))?;
        let tokenizer = Tokenizer::from_bytes(read("tokenizer.json")?);
        let mut tokenizer = tokenizer.map_err(LoadError::tokenizer)?;
        let truncation = TruncationParams {
            max_length: LONGEST.min(config.max_position_embeddings),
            ..TruncationParams::default()
        };
        tokenizer
            .with_padding(None)
            .with_truncation(Some(truncation))
            .map_err(LoadError::tokenizer)?;
        let weights = read("model.safetensors")?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        let model = BertModel::load(weights, &config)?;
        Ok(Self(Arc::new(Inner { model, tokenizer })))
    }

    /// Returns where a sentence lies: a point at distance 1 from the middle, so the cosine of two sentences
    /// is the sum of the products of their numbers.
    ///
    /// It takes milliseconds of computing, so async code calls it within `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Fails if the model was not made for what its tokenizer makes of the text.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, LoadError> {
        let Inner { model, tokenizer } = &*self.0;
        let tokens = tokenizer.encode(text, true).map_err(LoadError::tokenizer)?;
        let ids = Tensor::new(tokens.get_ids(), &Device::Cpu)?.unsqueeze(0)?;
        let words = model.forward(&ids, &ids.zeros_like()?, None)?;
        let mean = words.mean(1)?.squeeze(0)?;
        let mut point = mean.to_vec1::<f32>()?;
        let length = point.iter().map(|x| x * x).sum::<f32>().sqrt();
        for x in &mut point {
            *x /= length.max(f32::MIN_POSITIVE);
        }
        Ok(point)
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").finish_non_exhaustive()
    }
}

/// Returns how near two sentences are: 1 if they mean the same, about 0 if they have nothing in common.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
