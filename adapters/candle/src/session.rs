//! What a model has read and written so far.

use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use handoffs::agent::ModelError;
use tokio::sync::mpsc::UnboundedSender;

use crate::weights::Weights;

/// How many tokens are read at once: in between, it is seen whether anybody still waits.
const AT_ONCE: usize = 64;

/// Tokens that the model wrote lately are a little less likely, or a small one repeats itself for ever.
const REPETITION: f32 = 1.1;
const LATELY: usize = 64;

/// What a model has read and written so far. A copy can go on another way; it shares all that was read.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    weights: &'a Weights,
    model: ModelWeights,
    /// The likelihood of each token as the next one, as logarithms that are not normalised.
    next: Vec<f32>,
    length: usize,
    listener: &'a Listener,
}

/// Who waits for what the model says.
pub(crate) struct Listener(pub(crate) UnboundedSender<String>);

/// What was read and written, in tokens.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

impl<'a> Session<'a> {
    /// Begins with a text.
    pub(crate) fn new(
        weights: &'a Weights,
        listener: &'a Listener,
        text: &str,
        spent: &mut Spent,
    ) -> Result<Self, ModelError> {
        let mut session = Self {
            weights,
            model: weights.model.clone(),
            next: Vec::new(),
            length: 0,
            listener,
        };
        session.read(text, spent)?;
        Ok(session)
    }

    /// Goes on with a text that the model did not write.
    pub(crate) fn read(&mut self, text: &str, spent: &mut Spent) -> Result<(), ModelError> {
        let tokens = self.tokens(text)?;
        spent.read += tokens.len() as u64;
        self.feed(&tokens)
    }

    /// Returns how likely a text is as what comes next: the mean over its tokens, as a logarithm.
    pub(crate) fn likelihood(&self, text: &str, spent: &mut Spent) -> Result<f32, ModelError> {
        let tokens = self.tokens(text)?;
        spent.read += tokens.len() as u64;
        let mut session = self.clone();
        let mut sum = 0.0;
        let mut count = 0.0;
        for token in tokens {
            sum += session.chance(token);
            count += 1.0;
            session.feed(&[token])?;
        }
        Ok(sum / f32::max(count, 1.0))
    }

    /// Writes until the model is done, a piece holds one of these letters, or there are enough tokens.
    /// Each piece is told to `piece`.
    pub(crate) fn write(
        &mut self,
        stop: &[char],
        most: usize,
        spent: &mut Spent,
        mut piece: impl FnMut(&str),
    ) -> Result<String, ModelError> {
        let mut written = Vec::new();
        let mut text = String::new();
        while written.len() < most && self.length < self.weights.context {
            let token = self.likeliest(&written);
            if token == self.weights.end {
                break;
            }
            written.push(token);
            spent.written += 1;
            // A letter may take several tokens, so all are read together.
            let all = self.weights.tokenizer.decode(&written, true);
            let all = all.map_err(refused)?;
            let is_whole = !all.ends_with(char::REPLACEMENT_CHARACTER);
            if let (true, Some(new)) = (is_whole, all.strip_prefix(&*text)) {
                if let Some(end) = new.find(stop) {
                    piece(&new[..end]);
                    text.push_str(&new[..end]);
                    return Ok(text);
                }
                piece(new);
                text = all;
            }
            self.feed(&[token])?;
        }
        Ok(text)
    }

    /// Writes a whole number.
    pub(crate) fn write_number(&mut self, spent: &mut Spent) -> Result<u64, ModelError> {
        let mut number: u64 = 0;
        let digits =
            (0..10).map(|digit: u64| self.weights.tokenizer.token_to_id(&digit.to_string()));
        let digits: Option<Vec<_>> = digits.collect();
        let digits = digits.ok_or_else(|| ModelError::Refused("it knows no digits".to_owned()))?;
        for place in 0..12 {
            let likeliest = self.likeliest(&[]);
            let best = (0..).zip(&digits);
            let best = best.max_by(|(_, a), (_, b)| self.of(**a).total_cmp(&self.of(**b)));
            let Some((digit, token)) = best else { break };
            if place > 0 && !digits.contains(&likeliest) {
                break;
            }
            number = number * 10 + digit;
            spent.written += 1;
            self.feed(&[*token])?;
        }
        Ok(number)
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.weights.tokenizer.encode(text, false);
        Ok(encoding.map_err(refused)?.get_ids().to_vec())
    }

    fn feed(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        let length = self.length + tokens.len();
        if length > self.weights.context {
            let most = self.weights.context;
            let refusal = format!("the conversation has {length} tokens, and {most} are the most");
            return Err(ModelError::Refused(refusal));
        }
        for tokens in tokens.chunks(AT_ONCE) {
            if self.listener.0.is_closed() {
                return Err(ModelError::Refused("nobody waits any more".to_owned()));
            }
            let next = Tensor::new(tokens, &Device::Cpu)
                .and_then(|tokens| tokens.unsqueeze(0))
                .and_then(|tokens| self.model.forward(&tokens, self.length))
                .and_then(|next| next.squeeze(0)?.to_vec1());
            self.next = next.map_err(refused)?;
            self.length += tokens.len();
        }
        Ok(())
    }

    fn likeliest(&self, written: &[u32]) -> u32 {
        let lately = &written[written.len().saturating_sub(LATELY)..];
        let chance = |token: u32, logit: f32| match (lately.contains(&token), logit > 0.0) {
            (false, _) => logit,
            (true, true) => logit / REPETITION,
            (true, false) => logit * REPETITION,
        };
        let all = (0..).zip(&self.next);
        let all = all.map(|(token, logit)| (token, chance(token, *logit)));
        let best = all.max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map_or(self.weights.end, |(token, _)| token)
    }

    fn of(&self, token: u32) -> f32 {
        let logit = self.next.get(token as usize);
        logit.copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// Returns how likely a token is as the next one, as a logarithm.
    fn chance(&self, token: u32) -> f32 {
        let most = self.next.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = self.next.iter().map(|logit| (logit - most).exp()).sum();
        self.of(token) - most - sum.ln()
    }
}

/// An error of ours that would be the same the next time.
fn refused(error: impl std::fmt::Display) -> ModelError {
    ModelError::Refused(error.to_string())
}
