#![doc = include_str!("../README.md")]

mod error;

use std::fmt;
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision as Verdict, Entities, EntityId, EntityTypeName, EntityUid,
    PolicyId, PolicySet, Request, Response, Schema, ValidationMode, Validator,
};
use handoffs::agent::{Decision, ToolPolicy, ToolRequest};
use handoffs::async_trait;
use serde_json::{Map, Value};

pub use error::CedarError;
use error::listed;

/// The annotation of a rule that lets a person decide.
const APPROVAL: &str = "approval";

/// Decides by Cedar's rules whether an agent may call a tool.
///
/// See the [crate's](crate) page for what a rule can look at.
pub struct CedarPolicy {
    rules: PolicySet,
    authorizer: Authorizer,
}

impl CedarPolicy {
    /// Reads rules. One is known by its `@id`, or else by its place, as `policy0`.
    ///
    /// ```
    /// use handoffs_cedar::CedarPolicy;
    ///
    /// assert!(CedarPolicy::new("permit (principal, action, resource);").is_ok());
    /// assert!(CedarPolicy::new("permit (whoever);").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read, or two have one id; says in which line.
    pub fn new(rules: &str) -> Result<Self, CedarError> {
        let read = PolicySet::from_str(rules);
        let read = read.map_err(|errors| CedarError::Rules(listed(rules, errors.iter())))?;
        let mut named = PolicySet::new();
        for rule in read.policies() {
            let rule = match rule.annotation("id") {
                Some(id) => rule.new_id(PolicyId::new(id)),
                None => rule.clone(),
            };
            let id = rule.id().to_string();
            named.add(rule).map_err(|_| CedarError::SameId(id))?;
        }
        Ok(Self {
            rules: named,
            authorizer: Authorizer::new(),
        })
    }

    /// Reads rules, and checks them against a schema in Cedar's own format.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the schema cannot be read or the rules do not fit it.
    pub fn with_schema(rules: &str, schema: &str) -> Result<Self, CedarError> {
        let policy = Self::new(rules)?;
        let read = Schema::from_cedarschema_str(schema);
        let (schema, _) = read.map_err(|error| CedarError::Schema(listed(schema, [&error])))?;
        let checked = Validator::new(schema).validate(&policy.rules, ValidationMode::default());
        if checked.validation_passed() {
            return Ok(policy);
        }
        Err(CedarError::Misfit(listed(
            rules,
            checked.validation_errors(),
        )))
    }

    fn decide(&self, request: &ToolRequest<'_>) -> Decision {
        let asked = Request::new(
            entity("Agent", request.node),
            entity("Action", request.tool),
            entity("Thread", request.thread.as_ref()),
            context(request),
            None,
        );
        match asked {
            Ok(asked) => {
                let response =
                    self.authorizer
                        .is_authorized(&asked, &self.rules, &Entities::empty());
                self.verdict(&response)
            }
            Err(error) => Decision::deny(format!("the rules cannot be asked: {error}")),
        }
    }

    fn verdict(&self, response: &Response) -> Decision {
        let diagnostics = response.diagnostics();
        // A rule that cannot be evaluated counts for nothing with Cedar, also one that forbids.
        let broken: Vec<_> = diagnostics.errors().map(ToString::to_string).collect();
        if !broken.is_empty() {
            return Decision::deny(broken.join("; "));
        }
        if response.decision() == Verdict::Allow {
            return Decision::Allow;
        }
        let mut forbidding: Vec<_> = diagnostics.reason().collect();
        if forbidding.is_empty() {
            return Decision::deny("no rule permits it");
        }
        forbidding.sort_unstable();
        let (mut whys, mut ids) = (Vec::new(), Vec::new());
        for id in forbidding {
            match self.rules.annotation(id, APPROVAL) {
                Some(why) => whys.push(why),
                None => ids.push(id.to_string()),
            }
        }
        // One that lets nobody decide is enough.
        if ids.is_empty() {
            Decision::needs_approval(whys.join("; "))
        } else {
            Decision::deny(ids.join(", "))
        }
    }
}

#[async_trait]
impl ToolPolicy for CedarPolicy {
    async fn check(&self, request: &ToolRequest<'_>) -> Decision {
        self.decide(request)
    }
}

impl fmt::Debug for CedarPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarPolicy")
            .field("rules", &self.rules.to_string())
            .finish_non_exhaustive()
    }
}

fn entity(kind: &str, id: &str) -> EntityUid {
    let kind = EntityTypeName::from_str(kind).expect("a name of ours");
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

/// Puts together what a rule can look at.
fn context(request: &ToolRequest<'_>) -> Context {
    let mut all = Map::new();
    if let Some(needs) = request.needs {
        all.insert("scope".into(), needs.scope.to_string().into());
        number(&mut all, "cost_micros", Some(needs.cost_micros));
    }
    if let Some(held) = request.held {
        number(&mut all, "left_micros", held.spend_micros);
        number(&mut all, "left_calls", held.calls);
    }
    let arguments: Option<Value> = serde_json::from_str(request.arguments).ok();
    let whole = arguments.and_then(|arguments| {
        let mut whole = all.clone();
        whole.insert("arguments".into(), arguments);
        Context::from_json_value(whole.into(), None).ok()
    });
    let without = || Context::from_json_value(all.into(), None).ok();
    whole.or_else(without).unwrap_or_else(Context::empty)
}

/// Cedar's numbers end where those of an `i64` do.
fn number(all: &mut Map<String, Value>, name: &str, number: Option<u64>) {
    if let Some(number) = number {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        all.insert(name.into(), number.into());
    }
}
