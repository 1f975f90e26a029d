//! A model of rig as one of ours.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use handoffs::agent::{HandoffStyle, Model, ModelError, Reply, Request};
use handoffs::async_trait;
use rig_core::completion::CompletionRequest;
use rig_core::driver::DynModel;
use rig_core::operation::Completion;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::providers::openai::wire::{Auth, Dialect};
use rig_core::streaming::{Item, StreamEvent};

use crate::error::{model_error, of_whole};
use crate::reply::reply;
use crate::request::completion_request;

/// A model of rig as a model of an agent.
///
/// ```no_run
/// use handoffs_rig::{RigModel, rig};
///
/// # fn main() -> Result<(), rig::client::EnvError> {
/// let anthropic = rig::providers::anthropic::Anthropic::from_env()?;
/// let model = RigModel::new(anthropic.completion("claude-sonnet-4-5"))
///     .with(|request| request.max_tokens(2_000));
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RigModel {
    model: DynModel<Completion>,
    streams: bool,
    style: HandoffStyle,
    with: Option<Arc<With>>,
}

type With = dyn Fn(CompletionRequest) -> CompletionRequest + Send + Sync;

impl RigModel {
    /// Takes a completion model of any of rig's providers.
    pub fn new(model: impl Into<DynModel<Completion>>) -> Self {
        Self {
            model: model.into(),
            streams: true,
            style: HandoffStyle::default(),
            with: None,
        }
    }

    /// Sets what an agent does not know of, in each request: the temperature, the most tokens of a reply,
    /// what only this provider takes.
    pub fn with(
        mut self,
        set: impl Fn(CompletionRequest) -> CompletionRequest + Send + Sync + 'static,
    ) -> Self {
        self.with = Some(Arc::new(set));
        self
    }

    /// Asks for replies in one piece, for an endpoint that cannot stream.
    pub fn whole(mut self) -> Self {
        self.streams = false;
        self
    }

    /// Says how handoffs are shown to the model; each as a tool of its own by default.
    pub fn handoff_style(mut self, style: HandoffStyle) -> Self {
        self.style = style;
        self
    }
}

/// Returns the model of this name at an endpoint that speaks OpenAI's chat completions: a server of one's
/// own, or a provider that rig does not know. The base URL is what `/chat/completions` is added to, such
/// as `http://localhost:8000/v1`; an empty key is not sent.
///
/// All models share one HTTP client and its connections. For another, say with a proxy, use
/// [`RigModel::new`] and rig's [`OpenAIConfig::connect`].
pub fn openai_compatible(
    base_url: impl Into<String>,
    key: impl Into<String>,
    model: impl Into<String>,
) -> RigModel {
    let mut dialect = Dialect::gateway("openai_compatible", "", "OPENAI_API_KEY");
    dialect.quirks.auth = Auth::OptionalBearer;
    let config = OpenAIConfig::with_key(&dialect, key.into()).with_base_url(base_url);
    RigModel::new(config.client().chat(model))
}

#[async_trait]
impl Model for RigModel {
    fn name(&self) -> &str {
        self.model.id().unwrap_or_default()
    }

    fn provider(&self) -> &str {
        self.model.name()
    }

    async fn turn(
        &self,
        request: &Request,
        said: &(dyn for<'s> Fn(&'s str) + Send + Sync),
    ) -> Result<Reply, ModelError> {
        let mut request = completion_request(request)?;
        if let Some(with) = &self.with {
            request = with(request);
        }
        if !self.streams {
            let response = self.model.call(request).await.map_err(of_whole)?;
            return reply(&response);
        }
        let mut pieces = self.model.stream(request).map_err(model_error)?;
        while let Some(item) = pieces.next().await {
            if let Item::Event(StreamEvent::Text { text, .. }) = item.map_err(model_error)? {
                said(&text);
            }
        }
        reply(&pieces.finish().await.map_err(model_error)?)
    }

    fn handoff_style(&self) -> HandoffStyle {
        self.style
    }
}

impl fmt::Debug for RigModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RigModel")
            .field("provider", &self.model.name())
            .field("model", &self.model.id())
            .finish_non_exhaustive()
    }
}
