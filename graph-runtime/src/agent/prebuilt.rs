//! Graphs of agents that are built often, each a few lines over the same parts.
//!
//! Each function returns a [`GraphBuilder`], so policies, error edges and further nodes can be added. What
//! it [builds](GraphBuilder::build) is a graph like any other: it is checked by all rules, drawn, and
//! can be a node of another.
//!
//! ```
//! use handoffs_runtime::agent::prebuilt::{Part, swarm};
//! use handoffs_runtime::agent::{Agent, Conversation, Model};
//! use handoffs_runtime::{BuildErrors, BuiltGraph};
//!
//! fn desk<S: Conversation>(a: impl Model, b: impl Model) -> Result<BuiltGraph<S>, BuildErrors> {
//!     let alice = Agent::new(a).instructions("You are Alice, who can add.");
//!     let bob = Agent::new(b).instructions("You are Bob, who talks like a pirate.");
//!     let parts = [
//!         Part::agent("alice", "Adds numbers.", alice),
//!         Part::agent("bob", "Talks like a pirate.", bob),
//!     ];
//!     swarm("Desk", 10, parts).build()
//! }
//! ```

use handoffs_core::{State, Worker};
use serde::Serialize;

use super::message::Conversation;
use super::node::Agent;
use super::over::{Over, Peer, among, resume_at};
use crate::builder::{AnyNode, GraphBuilder, To};
use crate::execute::Execute;

/// A node of a prebuilt graph, and what agents are told of it that may hand over to it.
#[derive(Debug)]
pub struct Part<S> {
    peer: Peer,
    node: Kind<S>,
}

#[derive(Debug)]
enum Kind<S> {
    Agent(Box<Agent<S, Over>>),
    Node(AnyNode<S>),
}

impl<S: Conversation> Part<S> {
    /// An agent, whose handoffs are what its place in the graph allows.
    pub fn agent(name: impl Into<String>, doc: impl Into<String>, agent: Agent<S, Over>) -> Self {
        let peer = Peer::new(name, doc);
        let node = Kind::Agent(Box::new(agent));
        Self { peer, node }
    }

    /// Any other node, such as a person or an agent that decides for itself. It hands over to nobody.
    pub fn node(name: impl Into<String>, doc: impl Into<String>, node: impl Execute<S>) -> Self {
        Self::any(name, doc, AnyNode::new(node))
    }

    /// As [`node`](Self::node), of any kind that a builder takes.
    pub fn any(name: impl Into<String>, doc: impl Into<String>, node: AnyNode<S>) -> Self {
        let peer = Peer::new(name, doc);
        let node = Kind::Node(node);
        Self { peer, node }
    }

    /// Adds it to a graph, with those to whom it may hand over if it is an agent.
    fn add(self, graph: GraphBuilder<S>, peers: &[Peer]) -> GraphBuilder<S> {
        let name = &*self.peer.name;
        match self.node {
            Kind::Agent(agent) => graph.any_node(name, among(*agent, peers.iter().cloned())),
            Kind::Node(node) => graph.any_node(name, node),
        }
    }
}

fn names(peers: &[Peer]) -> impl Iterator<Item = &str> {
    peers.iter().map(|peer| peer.name.as_str())
}

fn peers<S>(parts: &[Part<S>]) -> Vec<Peer> {
    parts.iter().map(|part| part.peer.clone()).collect()
}

/// One agent that calls its tools until it answers.
///
/// ```text
/// agent => end
/// ```
pub fn react<S: Conversation>(name: impl Into<String>, agent: Agent<S, Over>) -> GraphBuilder<S> {
    GraphBuilder::new(name.into())
        .node("agent", agent)
        .start("agent")
        .route("agent", "_", To::end())
}

/// An agent that hands each conversation to the part that fits, or answers itself.
///
/// ```text
/// router => billing, access, .. => end
/// ```
pub fn router<S: Conversation>(
    name: impl Into<String>,
    router: Agent<S, Over>,
    parts: impl IntoIterator<Item = Part<S>>,
) -> GraphBuilder<S> {
    let parts: Vec<_> = parts.into_iter().collect();
    let peers = peers(&parts);
    let mut graph = GraphBuilder::new(name.into())
        .any_node("router", among(router, peers.iter().cloned()))
        .start("router")
        .route("router", Over::ANSWER, To::end());
    for name in names(&peers) {
        graph = graph
            .route("router", name, To::node(name))
            .route(name, "_", To::end());
    }
    parts
        .into_iter()
        .fold(graph, |graph, part| part.add(graph, &[]))
}

/// Agents of which everyone may hand over to everyone else, to each so many times at most in a run. A run
/// begins with the one that answered last, and with the first of them at first.
///
/// A part that is no agent is handed over to, and ends the run.
///
/// ```text
/// resume => alice, bob, ..
/// alice => bob(limit = n), .. end
/// bob => alice(limit = n), .. end
/// ```
pub fn swarm<S: Conversation>(
    name: impl Into<String>,
    handoffs: u32,
    parts: impl IntoIterator<Item = Part<S>>,
) -> GraphBuilder<S> {
    let parts: Vec<_> = parts.into_iter().collect();
    let all = peers(&parts);
    let is_agent = |part: &&Part<S>| matches!(part.node, Kind::Agent(_));
    let agents = parts.iter().filter(is_agent);
    let agents: Vec<_> = agents.map(|part| part.peer.name.clone()).collect();
    let mut graph = GraphBuilder::new(name.into())
        .any_node("resume", resume_at(agents.iter().cloned()))
        .start("resume");
    for name in &agents {
        graph = graph.route("resume", name.as_str(), To::node(name));
    }
    for part in parts {
        let name = part.peer.name.clone();
        if !agents.contains(&name) {
            graph = part.add(graph.route(name, "_", To::end()), &[]);
            continue;
        }
        let others = all.iter().filter(|peer| peer.name != name);
        let others: Vec<_> = others.cloned().collect();
        graph = part.add(graph, &others);
        for other in names(&others) {
            graph = graph.route(&name, other, To::node(other).limit(handoffs));
        }
        graph = graph.route(name, Over::ANSWER, To::end());
    }
    graph
}

/// An agent that hands out work to each worker so many times at most, and gets it back each time, with what
/// the worker has left of what it was granted; it answers in the end. A worker that has been asked as often
/// as it may is not offered any more.
///
/// ```text
/// supervisor => search(limit = n), write(limit = n), .. end
/// search, write, .. => back
/// ```
pub fn supervisor<S: Conversation>(
    name: impl Into<String>,
    times: u32,
    supervisor: Agent<S, Over>,
    workers: impl IntoIterator<Item = Part<S>>,
) -> GraphBuilder<S> {
    let workers: Vec<_> = workers.into_iter().collect();
    let peers = peers(&workers);
    let mut graph = GraphBuilder::new(name.into())
        .any_node("supervisor", among(supervisor, peers.iter().cloned()))
        .start("supervisor")
        .route("supervisor", Over::ANSWER, To::end());
    for name in names(&peers) {
        graph = graph
            .route("supervisor", name, To::node(name).limit(times))
            .route(name, "_", To::back());
    }
    let workers = workers.into_iter();
    workers.fold(graph, |graph, worker| worker.add(graph, &[]))
}

/// A planner, an executor for each step of its plan, all at the same time, and a node that puts together
/// what they did. `steps` reads the plan off the state.
///
/// ```text
/// planner => each(steps) executor join report
/// executor => report => end
/// ```
pub fn planner_executor<S, T, E>(
    name: impl Into<String>,
    planner: impl Execute<S>,
    steps: impl Fn(&S) -> Vec<T> + Send + Sync + 'static,
    executor: E,
    report: impl Execute<S>,
) -> GraphBuilder<S>
where
    S: State,
    T: Serialize + Send + Sync + 'static,
    E: Execute<S> + Worker<S, Item = T>,
{
    GraphBuilder::new(name.into())
        .node("planner", planner)
        .worker("executor", executor)
        .node("report", report)
        .items("steps", steps)
        .start("planner")
        .route("planner", "_", To::each("steps", "executor", "report"))
        .route("executor", "_", To::node("report"))
        .route("report", "_", To::end())
}

/// A writer whose drafts a reviewer reads, who sends it back with what is to be mended, so many times at
/// most, or has the last word. A reviewer that may send nothing back any more is not offered to.
///
/// ```text
/// writer => reviewer
/// reviewer => writer(limit = rounds), end
/// ```
pub fn writer_reviewer<S: Conversation>(
    name: impl Into<String>,
    rounds: u32,
    writer: Agent<S, Over>,
    reviewer: Agent<S, Over>,
) -> GraphBuilder<S> {
    let back = Peer::new(
        "writer",
        "The draft is to be mended: say what is wrong with it.",
    );
    GraphBuilder::new(name.into())
        .any_node("writer", among(writer, []))
        .any_node("reviewer", among(reviewer, [back]))
        .start("writer")
        .route("writer", "_", To::node("reviewer"))
        .route("reviewer", "writer", To::node("writer").limit(rounds))
        .route("reviewer", Over::ANSWER, To::end())
}

/// Adds a person to a graph, to whom a run goes when one of these nodes has failed for good, and who ends
/// it. An agent may hand over to a person by itself, if that is one of its parts.
///
/// ```
/// use handoffs_runtime::agent::prebuilt::{escalating, react};
/// use handoffs_runtime::agent::{Agent, Conversation, Over};
/// use handoffs_runtime::{Execute, GraphBuilder};
///
/// fn attended<S: Conversation>(
///     agent: Agent<S, Over>,
///     person: impl Execute<S>,
/// ) -> GraphBuilder<S> {
///     escalating(react("Desk", agent), ["agent"], "person", person)
/// }
/// ```
pub fn escalating<S: State>(
    graph: GraphBuilder<S>,
    from: impl IntoIterator<Item = impl Into<String>>,
    name: &str,
    person: impl Execute<S>,
) -> GraphBuilder<S> {
    let graph = graph.node(name, person).route(name, "_", To::end());
    from.into_iter().fold(graph, |graph, node| {
        graph.on_error(node.into(), To::node(name))
    })
}
