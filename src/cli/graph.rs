//! The graphs of a program, and drawings of graphs.

use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;

use super::error::Error;
use super::state;
use crate::{
    AgentGraph, Ask, AskId, Event, Journal, Reroute, Runnable, Runtime, Target, ThreadId, Topology,
};

/// The graphs of a program.
#[derive(Debug, Default)]
pub(super) struct Graphs(Vec<Drawn>);

/// A graph whose shape is known.
pub(super) struct Drawn {
    topology: Topology,
    runs: Option<Arc<dyn Runner>>,
}

impl Graphs {
    pub(super) fn add(&mut self, graph: Drawn) {
        self.0.push(graph);
    }

    pub(super) fn all(&self) -> &[Drawn] {
        &self.0
    }

    pub(super) fn can_run(&self) -> bool {
        self.0.iter().any(|graph| graph.runs.is_some())
    }

    /// Returns a graph by its name, or by one that it had.
    pub(super) fn find(&self, name: &str) -> Option<&Drawn> {
        self.0.iter().find(|graph| {
            let mut former = graph.topology.former_names();
            graph.topology.name() == name || former.any(|former| former == name)
        })
    }

    /// Returns a graph that can be run.
    pub(super) fn runner(&self, name: &str) -> Result<&Arc<dyn Runner>, Error> {
        let known: Vec<_> = self.0.iter().filter(|graph| graph.runs.is_some()).collect();
        let found = self.find(name);
        if let Some(runs) = found.and_then(|graph| graph.runs.as_ref()) {
            return Ok(runs);
        }
        let known: Vec<_> = known.iter().map(|graph| graph.topology.name()).collect();
        Err(Error::Usage(match (found, known.as_slice()) {
            (_, []) => "no graph of this program can be run: register one with what builds it, as \
                        `handoffs::cli::main!(Desk = desk())`"
                .to_owned(),
            (Some(_), known) => format!(
                "`{name}` is registered without what builds it; those that run are {}",
                known.join(", ")
            ),
            (None, known) => format!(
                "no graph is named `{name}`; those that run are {}",
                known.join(", ")
            ),
        }))
    }

    /// Returns the shape of a graph of this program, or of one that a DOT file draws. Without a name it is
    /// the only graph.
    pub(super) fn shape(&self, name: Option<&str>) -> Result<Topology, Error> {
        let Some(name) = name else {
            return match self.0.as_slice() {
                [only] => Ok(only.topology.clone()),
                [] => Err(Error::Usage("which graph? name a DOT file".to_owned())),
                _ => Err(Error::Usage(format!(
                    "which graph? there are {}",
                    self.names()
                ))),
            };
        };
        match self.find(name) {
            Some(graph) => Ok(graph.topology.clone()),
            None => self.drawing(name),
        }
    }

    fn drawing(&self, path: &str) -> Result<Topology, Error> {
        let text = read(path).map_err(|error| match error {
            Error::File { path, source } if !self.0.is_empty() => {
                let names = self.names();
                let source = std::io::Error::new(
                    source.kind(),
                    format!("{source}; the graphs of this program are {names}"),
                );
                Error::File { path, source }
            }
            error => error,
        })?;
        dot(path, &text)
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|graph| graph.topology.name()).collect();
        names.join(", ")
    }
}

/// Reads a file, or the standard input.
pub(super) fn read(path: &str) -> Result<String, Error> {
    let read = if path == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// Reads a drawing of ours.
pub(super) fn dot(path: &str, text: &str) -> Result<Topology, Error> {
    Topology::from_dot(text).map_err(|source| Error::Dot {
        path: path.to_owned(),
        source,
    })
}

impl Drawn {
    pub(super) fn of(topology: Topology) -> Self {
        Self {
            topology,
            runs: None,
        }
    }

    pub(super) fn run_by(self, runs: impl Runner + 'static) -> Self {
        Self {
            runs: Some(Arc::new(runs)),
            ..self
        }
    }

    pub(super) const fn topology(&self) -> &Topology {
        &self.topology
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.topology.name())
    }
}

/// What a run is to do.
pub(super) enum Begin {
    /// Begin with this state, as JSON.
    Anew(String),
    Recover,
    Resume(AskId, Value),
}

/// How a run came to rest.
pub(super) enum Rested {
    Finished(Value),
    Paused(Ask),
}

/// Hears what happens in a run: the path, and a line.
pub(super) type Listener<'a> = &'a mut (dyn FnMut(&str, String) + Send);

/// A graph that can be run, whatever its types are.
#[async_trait]
pub(super) trait Runner: Send + Sync {
    async fn go(
        &self,
        journal: Arc<dyn Journal>,
        thread: &ThreadId,
        by: Option<&str>,
        begin: Begin,
        listener: Listener<'_>,
    ) -> Result<Rested, Error>;

    async fn reroute(&self, journal: Arc<dyn Journal>, thread: &ThreadId)
    -> Result<Reroute, Error>;

    #[cfg(feature = "eval")]
    async fn eval(&self, args: &super::args::Eval) -> Result<crate::eval::Report, Error>;
}

/// Builds a graph.
type Build<G> = dyn Fn() -> Result<G, Box<dyn StdError + Send + Sync>> + Send + Sync;

/// A graph with what builds it.
pub(super) struct Runs<G>(Box<Build<G>>);

impl<G: AgentGraph + Runnable> Runs<G> {
    pub(super) fn new(
        build: impl Fn() -> Result<G, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(build))
    }

    fn graph(&self) -> Result<G, Error> {
        (self.0)().map_err(|source| Error::Build {
            graph: G::NAME.to_owned(),
            source,
        })
    }

    fn runtime(&self, journal: Arc<dyn Journal>) -> Result<Runtime<G, Arc<dyn Journal>>, Error> {
        Ok(Runtime::new(self.graph()?).journal(journal))
    }
}

#[async_trait]
impl<G: AgentGraph + Runnable> Runner for Runs<G> {
    async fn go(
        &self,
        journal: Arc<dyn Journal>,
        thread: &ThreadId,
        by: Option<&str>,
        begin: Begin,
        listener: Listener<'_>,
    ) -> Result<Rested, Error> {
        let mut thread = self.runtime(journal)?.thread(thread);
        if let Some(by) = by {
            thread = thread.by(by);
        }
        let mut events = match begin {
            Begin::Anew(text) => thread.stream(state::decode(&text)?),
            Begin::Recover => thread.recover_stream(),
            Begin::Resume(ask, answer) => thread.resume_stream(ask, answer)?,
        };
        while let Some(event) = events.next().await {
            match event? {
                Event::Finished(state) => return Ok(Rested::Finished(state::encode(&state)?)),
                Event::Paused(ask) => return Ok(Rested::Paused(ask)),
                event => {
                    if let Some((branch, line)) = told(&event) {
                        listener(&branch, line);
                    }
                }
            }
        }
        // A stream ends with one of those or an error.
        Err(Error::Broken("the run came to no end".to_owned()))
    }

    async fn reroute(
        &self,
        journal: Arc<dyn Journal>,
        thread: &ThreadId,
    ) -> Result<Reroute, Error> {
        Ok(self.runtime(journal)?.thread(thread).reroute().await?)
    }

    #[cfg(feature = "eval")]
    async fn eval(&self, args: &super::args::Eval) -> Result<crate::eval::Report, Error> {
        super::eval::judge(&self.graph()?, args).await
    }
}

/// Says what happened in a few words.
fn told<G: Runnable>(event: &Event<G>) -> Option<(String, String)>
where
    G::Node: fmt::Display,
{
    let leads = |to: &Target<G::Node>| match to {
        Target::Node(node) => node.to_string(),
        Target::End => "end".to_owned(),
    };
    let (branch, line) = match event {
        Event::Stepped {
            branch,
            node,
            outcome,
            to,
            branches,
            approval,
            ..
        } => {
            let to = match (branches, approval) {
                (Some(branches), _) => format!("{branches} branches"),
                (None, Some(_)) => format!("{}, if approved", leads(to)),
                (None, None) => leads(to),
            };
            (branch, format!("{node}: {} => {to}", outcome.variant))
        }
        Event::Attempted {
            branch,
            node,
            error,
            ..
        } => (branch, format!("{node}: tried again after: {error}")),
        Event::Caught {
            branch,
            node,
            error,
            to,
            ..
        } => (branch, format!("{node}: failed => {}: {error}", leads(to))),
        Event::Decided {
            branch, node, to, ..
        } => (branch, format!("{node}: decided => {}", leads(to))),
        Event::Joined { branch, to, .. } => (branch, format!("joined => {to}")),
        _ => return None,
    };
    Some((branch.to_string(), line))
}
