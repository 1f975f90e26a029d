//! A node that finds the way by what a sentence means.

use std::fmt;
use std::sync::Arc;

use handoffs::agent::{Conversation, Message};
use handoffs::{Context, Contract, Execute, FieldSet, Node, NodeError, Outcome, State};
use tokio::task::spawn_blocking;

use crate::embed::{Embedder, cosine};
use crate::error::LoadError;

/// A node that concludes with the outcome whose example sentences mean most nearly what the state asks: a
/// triage without a language model, in milliseconds, and the same each time.
///
/// ```no_run
/// use handoffs::agent::Message;
/// use handoffs::prelude::*;
/// use handoffs_candle::{Embedder, SemanticRouter, newest_question};
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Ticket {
///     #[state(messages)]
///     messages: Log<Message>,
/// }
///
/// #[derive(Outcome, Clone)]
/// enum Triaged {
///     Cards,
///     Transfers,
///     Unclear,
/// }
///
/// fn triage() -> Result<SemanticRouter<Ticket, Triaged>, handoffs_candle::LoadError> {
///     SemanticRouter::new(Embedder::open("all-MiniLM-L6-v2")?, newest_question)
///         .route(Triaged::Cards, ["Where is my card?", "My PIN is blocked."])?
///         .route(Triaged::Transfers, ["My transfer has not arrived."])
///         .map(|router| router.below(0.4, Triaged::Unclear))
/// }
/// ```
pub struct SemanticRouter<S, O> {
    text: Arc<dyn Fn(&S) -> String + Send + Sync>,
    examples: Arc<Examples>,
    outcomes: Vec<O>,
    below: Option<(f32, O)>,
}

/// The sentences, each with the place of its outcome.
struct Examples {
    embedder: Embedder,
    points: Vec<(usize, Vec<f32>)>,
    neighbours: usize,
}

/// How a question lies among the examples.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// The place of the outcome.
    outcome: usize,
    /// The cosine of the question and the nearest example of all.
    nearest: f32,
}

impl<S, O: Clone> SemanticRouter<S, O> {
    /// Makes a router that knows no way yet; `text` says what of the state is asked.
    pub fn new(embedder: Embedder, text: impl Fn(&S) -> String + Send + Sync + 'static) -> Self {
        Self {
            text: Arc::new(text),
            examples: Arc::new(Examples {
                embedder,
                points: Vec::new(),
                neighbours: 5,
            }),
            outcomes: Vec::new(),
            below: None,
        }
    }

    /// Adds sentences that lead to an outcome. Some that users really wrote are best; a dozen is a beginning.
    ///
    /// Each takes milliseconds of computing, here and now.
    ///
    /// # Errors
    ///
    /// Fails if the model cannot read a sentence.
    pub fn route<T: AsRef<str>>(
        mut self,
        outcome: O,
        sentences: impl IntoIterator<Item = T>,
    ) -> Result<Self, LoadError> {
        let examples = self.examples_mut();
        let mut points = Vec::new();
        for sentence in sentences {
            points.push(examples.embedder.embed(sentence.as_ref())?);
        }
        let place = self.outcomes.len();
        self.outcomes.push(outcome);
        let points = points.into_iter().map(|point| (place, point));
        self.examples_mut().points.extend(points);
        Ok(self)
    }

    /// Says by how many of the nearest sentences the outcome is found, each with the weight of its nearness;
    /// 5 by default, 1 for the nearest alone.
    pub fn neighbours(mut self, count: usize) -> Self {
        self.examples_mut().neighbours = count.max(1);
        self
    }

    /// Says what the outcome is if no sentence is as near as this: a cosine, of which 0.3 to 0.5 is where
    /// sentences begin to be about the same. Without it, the nearest is taken however far it is.
    pub fn below(mut self, cosine: f32, outcome: O) -> Self {
        self.below = Some((cosine, outcome));
        self
    }

    /// Returns the outcome for a text, as the node does for a state.
    ///
    /// It takes milliseconds of computing, so async code calls it within `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Fails if the model cannot read the text, or there is no sentence to compare it with.
    pub fn outcome_of(&self, text: &str) -> Result<O, LoadError> {
        self.examples.find(text).map(|found| self.take(found))
    }

    fn take(&self, found: Found) -> O {
        match &self.below {
            Some((least, outcome)) if found.nearest < *least => outcome.clone(),
            _ => self.outcomes[found.outcome].clone(),
        }
    }

    /// Nobody else has them while the router is made.
    fn examples_mut(&mut self) -> &mut Examples {
        Arc::make_mut(&mut self.examples)
    }
}

impl Examples {
    fn find(&self, text: &str) -> Result<Found, LoadError> {
        let asked = self.embedder.embed(text)?;
        let near = self.points.iter();
        let mut near: Vec<_> = near
            .map(|(place, point)| (*place, cosine(&asked, point)))
            .collect();
        near.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let nearest = near.first().map(|(_, near)| *near);
        let nearest = nearest.ok_or(LoadError::Unfit("the router has no examples"))?;
        near.truncate(self.neighbours);
        Ok(Found {
            outcome: elected(&near),
            nearest,
        })
    }
}

/// Returns the outcome whose sentences are nearest, all together; the first of equals.
fn elected(near: &[(usize, f32)]) -> usize {
    let votes = |outcome| {
        let near = near.iter().filter(move |(place, _)| *place == outcome);
        near.map(|(_, near)| near).sum::<f32>()
    };
    let mut best = near[0].0;
    for (outcome, _) in near {
        if votes(*outcome) > votes(best) {
            best = *outcome;
        }
    }
    best
}

impl Clone for Examples {
    fn clone(&self) -> Self {
        Self {
            embedder: self.embedder.clone(),
            points: self.points.clone(),
            neighbours: self.neighbours,
        }
    }
}

impl<S: State, O: Outcome + Clone> Node<S> for SemanticRouter<S, O> {
    type Outcome = O;
    const CONTRACT: Contract = Contract {
        reads: FieldSet::first_of(S::FIELDS.len()),
        ..Contract::EMPTY
    };
}

impl<S: State, O: Outcome + Clone> Execute<S> for SemanticRouter<S, O> {
    const REPORTS: bool = true;

    async fn execute(&self, state: &mut S, _: &mut Context<'_>) -> Result<O, NodeError> {
        let text = (self.text)(state);
        let examples = Arc::clone(&self.examples);
        let found = spawn_blocking(move || examples.find(&text)).await;
        let found = found.map_err(NodeError::new)?.map_err(NodeError::new)?;
        Ok(self.take(found))
    }
}

impl<S, O: Clone> Clone for SemanticRouter<S, O> {
    fn clone(&self) -> Self {
        Self {
            text: Arc::clone(&self.text),
            examples: Arc::clone(&self.examples),
            outcomes: self.outcomes.clone(),
            below: self.below.clone(),
        }
    }
}

impl<S, O> fmt::Debug for SemanticRouter<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemanticRouter")
            .field("examples", &self.examples.points.len())
            .finish_non_exhaustive()
    }
}

/// Returns what the user said last, for a [`SemanticRouter`] in a conversation.
pub fn newest_question<S: Conversation>(state: &S) -> String {
    let mut said = state.messages().iter().filter_map(|message| match message {
        Message::User(text) => Some(text),
        _ => None,
    });
    said.next_back().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_sentences_decide_together() {
        assert_eq!(elected(&[(2, 0.9)]), 2);
        assert_eq!(elected(&[(2, 0.9), (1, 0.6), (1, 0.5)]), 1);
        assert_eq!(elected(&[(2, 0.9), (1, 0.4), (1, 0.3)]), 2);
        assert_eq!(elected(&[(2, 0.5), (1, 0.5)]), 2, "the one that was nearer");
    }
}
