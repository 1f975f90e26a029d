//! Which models speak: scripted ones, those of an endpoint, or a small one on this machine.

use std::env;
use std::error::Error;
use std::sync::Arc;

use handoffs::Usage;
use handoffs::agent::{Model, Script, ScriptedModel};
use serde_json::json;

/// A model for each agent.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) triage: Arc<dyn Model>,
    pub(crate) billing: Arc<dyn Model>,
    pub(crate) access: Arc<dyn Model>,
}

/// What the scripted models are an answer to.
pub(crate) const QUESTION: &str = "I was charged twice for the same coffee and want one back.";

impl Models {
    /// Takes what the environment says, or else the scripted models.
    pub(crate) fn from_env() -> Result<Self, Box<dyn Error>> {
        if let Ok(name) = env::var("HANDOFFS_MODEL") {
            let base_url = env::var("HANDOFFS_BASE_URL")
                .unwrap_or_else(|_| "https://api.openai.com/v1".to_owned());
            let key = env::var("HANDOFFS_API_KEY").unwrap_or_default();
            let model = handoffs_rig::openai_compatible(base_url, key, name);
            return Ok(Self::all(model));
        }
        Self::local().unwrap_or_else(|| Ok(Self::scripted()))
    }

    #[cfg(feature = "local")]
    fn local() -> Option<Result<Self, Box<dyn Error>>> {
        let file = env::var_os("HANDOFFS_LOCAL_MODEL")?;
        let model = handoffs_candle::LocalModel::open(file);
        Some(model.map(Self::all).map_err(Into::into))
    }

    #[cfg(not(feature = "local"))]
    fn local() -> Option<Result<Self, Box<dyn Error>>> {
        None
    }

    /// One model for all.
    fn all(model: impl Model) -> Self {
        let model: Arc<dyn Model> = Arc::new(model);
        Self {
            triage: Arc::clone(&model),
            billing: Arc::clone(&model),
            access: model,
        }
    }

    /// Models that make one conversation: triage is wrong at first, and the desk says so.
    pub(crate) fn scripted() -> Self {
        let to = |name: &str, what| Script::call(format!("transfer_to_{name}"), what);
        let spoken = |script: Script| script.usage(Usage::tokens(420, 36));
        let model = |script: Vec<Script>| -> Arc<dyn Model> {
            Arc::new(ScriptedModel::new(script.into_iter().map(spoken)))
        };
        Self {
            triage: model(vec![
                to("access", json!({ "reason": "Something with an account." })),
                to(
                    "billing",
                    json!({ "reason": "One of two equal charges is to go back." }),
                ),
            ]),
            access: model(vec![to(
                "wrong_desk",
                json!({ "note": "It is about a charge, not about signing in." }),
            )]),
            billing: model(vec![
                Script::call("find_charges", json!({ "customer": "customer-42" })),
                Script::call(
                    "refund",
                    json!({ "customer": "customer-42", "charge": "c-3" }),
                ),
                Script::say("I have sent £3.40 back to you; it takes two days."),
            ]),
        }
    }
}
