//! A language model in this process.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use handoffs::agent::{Choice, Model, ModelError, Reply, Request, Said, ToolCall, ToolSpec};
use handoffs::{Usage, async_trait};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::chat::chat;
use crate::error::LoadError;
use crate::fill;
use crate::session::{Listener, Session, Spent};
use crate::weights::Weights;

/// A small language model that runs in this process, from a GGUF file: of the kind of Llama, and made
/// for talks in `ChatML`, such as `SmolLM2`.
///
/// It is asked like any other [`Model`], streams what it says, counts tokens, and stops when nobody waits any
/// more. What it is told to choose among, it chooses: of the tools and handoffs that it is offered, the one is
/// called whose name is the likeliest in the model's eyes, and the arguments are written by us, with values of
/// the model's. So a call is always valid, and still need not be a good one: see the README for figures.
///
/// Clones share the weights. Several turns may be made at a time, each on a thread of its own.
///
/// ```no_run
/// use handoffs_candle::LocalModel;
///
/// # fn open() -> Result<(), handoffs_candle::LoadError> {
/// let model = LocalModel::open("SmolLM2-135M-Instruct.Q4_1.gguf")?.max_tokens(100);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalModel {
    weights: Arc<Weights>,
    max_tokens: usize,
}

impl LocalModel {
    /// Loads a model from a GGUF file, which takes seconds.
    ///
    /// Weights of a kind for which candle has no quick way (`Q4_1`, `Q5_0`, `Q5_1`) become `Q8_0` on the way.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or holds a model of another kind.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let weights = Arc::new(Weights::load(path.as_ref())?);
        Ok(Self {
            weights,
            max_tokens: 256,
        })
    }

    /// Says how many tokens a text may have at most; 256 by default.
    pub fn max_tokens(mut self, most: usize) -> Self {
        self.max_tokens = most;
        self
    }
}

#[async_trait]
impl Model for LocalModel {
    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let (tell, mut told) = mpsc::unbounded_channel::<String>();
        let (model, request) = (self.clone(), request.clone());
        let turn = spawn_blocking(move || {
            let mut work = Work {
                model: &model,
                request: &request,
                listener: &Listener(tell),
                spent: Spent::default(),
            };
            work.turn()
        });
        // If this future is dropped, `told` is, which the thread sees before it goes on.
        while let Some(piece) = told.recv().await {
            said(&piece);
        }
        let turn = turn.await;
        turn.map_err(|error| ModelError::Unreadable(error.to_string()))?
    }
}

/// One turn.
struct Work<'a> {
    model: &'a LocalModel,
    request: &'a Request,
    listener: &'a Listener,
    spent: Spent,
}

impl<'a> Work<'a> {
    fn turn(&mut self) -> Result<Reply, ModelError> {
        let reply = match self.choose()? {
            // Whoever makes the visit gives the call an id.
            Some(tool) => {
                Reply::default().call(ToolCall::new("", &*tool.name, self.arguments(tool)?))
            }
            None => Reply::text(self.say()?),
        };
        let Spent { read, written } = self.spent;
        Ok(reply.usage(Usage::tokens(read, written)))
    }

    /// Writes the arguments of a call.
    fn arguments(&mut self, tool: &ToolSpec) -> Result<String, ModelError> {
        let required = tool.parameters["required"].as_array();
        if required.is_none_or(Vec::is_empty) {
            return Ok("{}".to_owned());
        }
        let task = format!("Write the arguments of {} as JSON.", tool.name);
        let text = chat(self.request, Some(&task));
        let (weights, spent) = (&self.model.weights, &mut self.spent);
        let mut session = Session::new(weights, self.listener, &text, spent)?;
        Ok(fill::object(&mut session, &tool.parameters, spent)?.to_string())
    }

    /// Says something, or answers as a schema wants it.
    fn say(&mut self) -> Result<String, ModelError> {
        let Self {
            model,
            request,
            listener,
            spent,
        } = self;
        let task = request.answer.as_ref().map(|_| "Answer as JSON.");
        let text = chat(request, task);
        let mut session = Session::new(&model.weights, listener, &text, spent)?;
        match &request.answer {
            Some(schema) => Ok(fill::object(&mut session, schema, spent)?.to_string()),
            None => session.write(&[], model.max_tokens, spent, |piece| {
                // If nobody hears it, the next look says so.
                let _ = listener.0.send(piece.to_owned());
            }),
        }
    }

    /// Chooses a tool, or none.
    fn choose(&mut self) -> Result<Option<&'a ToolSpec>, ModelError> {
        let request = self.request;
        let must = request.choice == Choice::Required;
        if let ([only], true) = (&request.tools[..], must) {
            return Ok(Some(only));
        }
        if request.tools.is_empty() {
            return if must {
                Err(ModelError::Refused("there is nothing to call".to_owned()))
            } else {
                Ok(None)
            };
        }
        let mut options: Vec<_> = request
            .tools
            .iter()
            .map(|tool| (plain(&tool.name), Some(tool)))
            .collect();
        if !must {
            options.push((REPLY.to_owned(), None));
        }
        let lines = options.iter().map(|(name, tool)| {
            let about = tool.map_or("the question can be answered now", |tool| &tool.description);
            format!("- {name}: {about}")
        });
        let lines: Vec<_> = lines.collect();
        let task = format!(
            "Which of these fits best?\n{}\nSay its name.",
            lines.join("\n")
        );
        let asked = self.likelihoods(request, &task, &options)?;
        // Some names are likely whatever is asked; what counts is how much likelier the question makes them.
        let mut nothing = request.clone();
        nothing.messages = vec![Said::User("N/A".to_owned())];
        let always = self.likelihoods(&nothing, &task, &options)?;
        let gains = asked
            .iter()
            .zip(always)
            .map(|(asked, always)| asked - always);
        let best = gains.zip(&options).max_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(best.and_then(|(_, (_, tool))| *tool))
    }

    fn likelihoods(
        &mut self,
        request: &Request,
        task: &str,
        options: &[(String, Option<&ToolSpec>)],
    ) -> Result<Vec<f32>, ModelError> {
        let text = chat(request, Some(task));
        let weights = &self.model.weights;
        let session = Session::new(weights, self.listener, &text, &mut self.spent)?;
        let names = options.iter();
        names
            .map(|(name, _)| session.likelihood(name, &mut self.spent))
            .collect()
    }
}

/// By which name the model knows that it may answer itself.
const REPLY: &str = "answer";

/// Returns a tool's name in words.
fn plain(name: &str) -> String {
    let name = name.strip_prefix("transfer_to_").unwrap_or(name);
    name.replace('_', " ")
}

impl fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalModel")
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}
