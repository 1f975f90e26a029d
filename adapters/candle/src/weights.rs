//! A language model's files: its weights, its words, and how long its memory is.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_transformers::models::quantized_llama::{MAX_SEQ_LEN, ModelWeights};
use tokenizers::Tokenizer;

use crate::error::LoadError;

/// A model as it was loaded: nobody has talked to it yet.
pub(crate) struct Weights {
    pub(crate) model: ModelWeights,
    pub(crate) tokenizer: Tokenizer,
    /// The token behind which it is not the model's turn any more.
    pub(crate) end: u32,
    /// How many tokens it can keep in mind.
    pub(crate) context: usize,
}

impl Weights {
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let content = Content::read(&mut file)?;
        let text = |key| content.metadata.get(key).and_then(|it| it.to_string().ok());
        let speaks = text("tokenizer.chat_template");
        if !speaks.is_some_and(|template| template.contains("<|im_start|>")) {
            return Err(LoadError::Unfit(
                "the model was not made for talks in ChatML",
            ));
        }
        let number = |key| content.metadata.get(key).and_then(|it| it.to_u32().ok());
        let end = number("tokenizer.ggml.eos_token_id");
        let end = end.ok_or(LoadError::Unfit("the model has no token for the end"))?;
        let longest = number("llama.context_length").map_or(MAX_SEQ_LEN, |it| it as usize);
        let tokenizer = Tokenizer::from_gguf(&content)?;
        let model = if content
            .tensor_infos
            .values()
            .any(|it| is_slow(it.ggml_dtype))
        {
            let mut quick = Cursor::new(requantized(&content, &mut file)?);
            let content = Content::read(&mut quick)?;
            ModelWeights::from_gguf(content, &mut quick, &Device::Cpu)?
        } else {
            ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?
        };
        Ok(Self {
            model,
            tokenizer,
            end,
            context: longest.min(MAX_SEQ_LEN),
        })
    }
}

/// Returns whether candle has no quick way to multiply by weights of this kind.
fn is_slow(kind: GgmlDType) -> bool {
    matches!(kind, GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1)
}

/// Writes a model down anew, with weights of a kind that is quick.
fn requantized(content: &Content, file: &mut (impl Read + Seek)) -> Result<Vec<u8>, LoadError> {
    let mut tensors = Vec::new();
    for (name, info) in &content.tensor_infos {
        let mut tensor = content.tensor(file, name, &Device::Cpu)?;
        if is_slow(info.ggml_dtype) {
            let plain = tensor.dequantize(&Device::Cpu)?;
            tensor = QTensor::quantize(&plain, GgmlDType::Q8_0)?;
        }
        tensors.push((&**name, tensor));
    }
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (*name, tensor))
        .collect();
    // The words have been read already, and are the larger part of what is said of the model.
    let about = content.metadata.iter();
    let about = about.filter(|(_, value)| !matches!(value, Value::Array(_)));
    let about: Vec<_> = about.map(|(key, value)| (&**key, value)).collect();
    let mut bytes = Cursor::new(Vec::new());
    gguf_file::write(&mut bytes, &about, &tensors)?;
    Ok(bytes.into_inner())
}
