//! A graph that was laid out, for the runtime: its nodes do what the oracle's do, and take their time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handoffs::__private::{Change, Concluded, Item, Known, Within};
use handoffs::prelude::*;
use handoffs::{
    Contract, Counter, Field, FieldSet, Json, JsonError, Max, NodeError, NodeShape, Policy, Retry,
    Runnable, Topology,
};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::oracle::{Plain, Thought, stir};
use crate::shape::{
    COUNT, FIELDS, HIGH, LOG, Laid, NOTES, Op, PLAIN, Placed, SEEN, Trouble, VISITS,
};

#[derive(State, Clone, Debug, Default, PartialEq)]
pub(crate) struct Data {
    log: Log<u32>,
    count: Counter,
    seen: BTreeSet<u32>,
    notes: BTreeMap<u32, u32>,
    high: Max<u32>,
    visits: BTreeMap<usize, u32>,
    first: u32,
    second: u32,
    third: u32,
}

impl Data {
    pub(crate) fn json(&self) -> Value {
        let field = |(field, known): (usize, &Field)| {
            let value = self.encode(field, 0, serde_json::value::Serializer);
            (known.name.to_owned(), value.unwrap())
        };
        Self::FIELDS.iter().enumerate().map(field).collect()
    }
}

impl From<&Plain> for Data {
    fn from(plain: &Plain) -> Self {
        let [first, second, third] = plain.own;
        Self {
            log: plain.log.clone().into(),
            count: plain.count.into(),
            seen: plain.seen.clone(),
            notes: plain.notes.clone(),
            high: plain.high.map(Max::new).unwrap_or_default(),
            visits: plain.visits.clone(),
            first,
            second,
            third,
        }
    }
}

impl From<&Data> for Plain {
    fn from(data: &Data) -> Self {
        Self {
            log: data.log.iter().copied().collect(),
            count: data.count.get(),
            seen: data.seen.clone(),
            notes: data.notes.clone(),
            high: data.high.get().copied(),
            visits: data.visits.clone(),
            own: [data.first, data.second, data.third],
        }
    }
}

impl Data {
    fn plain(&mut self, place: usize) -> &mut u32 {
        [&mut self.first, &mut self.second, &mut self.third][place]
    }

    /// Does it, and says how the field changed.
    fn apply(&mut self, op: Op, value: u32) -> Change {
        match op {
            Op::Push => {
                self.log.push(value);
                return Change::Appended;
            }
            Op::Rewrite => {
                let kept = self.log.iter().take(self.log.len() / 2).copied();
                self.log = kept.chain([value]).collect::<Vec<_>>().into();
            }
            Op::Add => self.count += i64::from(value % 7) - 3,
            Op::Insert => drop(self.seen.insert(value % 16)),
            Op::Remove => drop(self.seen.remove(&(value % 16))),
            Op::Put => drop(self.notes.insert(value % 8, value)),
            Op::See => self.high.see(value),
            Op::Plain(place) => *self.plain(place) = value,
            Op::ReplaceLog => self.log = vec![value].into(),
            Op::ReplaceCount => self.count = i64::from(value).into(),
            Op::ReplaceSeen => self.seen = BTreeSet::from([value % 16]),
        }
        Change::Set
    }
}

/// A source of chance, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Chance(Mutex<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = stir(*state, 1);
        (*state >> 16) % bound
    }

    /// Takes some time, or none, or lets others go first.
    pub(crate) async fn pause(&self) {
        match self.below(4) {
            0 => {}
            1 => {
                for _ in 0..self.below(5) {
                    tokio::task::yield_now().await;
                }
            }
            _ => tokio::time::sleep(Duration::from_millis(self.below(40))).await,
        }
    }
}

/// Where the nodes note that they were executed, outside of the state and its journal.
#[derive(Debug, Default)]
pub(crate) struct Executed {
    /// How often each step was begun, by its key.
    pub(crate) begun: Mutex<HashMap<String, u32>>,
    /// The steps whose nodes concluded in the run that is under way.
    pub(crate) concluded: Mutex<HashSet<String>>,
    /// The steps that are in the journal.
    pub(crate) saved: Mutex<HashSet<String>>,
    /// The steps that were begun although they were in the journal.
    pub(crate) again: Mutex<Vec<String>>,
}

impl Executed {
    fn begin(&self, key: String) -> u32 {
        if self.saved.lock().unwrap().contains(&key) {
            self.again.lock().unwrap().push(key.clone());
        }
        let mut begun = self.begun.lock().unwrap();
        let times = begun.entry(key).or_default();
        *times += 1;
        *times
    }
}

pub(crate) struct Play {
    pub(crate) laid: Arc<Laid>,
    pub(crate) executed: Arc<Executed>,
    pub(crate) chance: Arc<Chance>,
    /// Which of the versions of the graph it is: in each, all nodes have other names.
    pub(crate) version: u64,
}

/// How many versions of each graph there are.
pub(crate) const VERSIONS: u64 = 4;

/// Returns the name that a node has in a version of its graph.
fn versioned(name: &str, version: u64) -> String {
    match version {
        0 => name.to_owned(),
        version => format!("{name}~{version}"),
    }
}

/// Returns the name that a node has in the first version, or a key that ends with it.
pub(crate) fn unversioned(name: &str) -> &str {
    name.split('~').next().unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(usize);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

#[derive(Outcome)]
enum Turn {
    First,
    Second,
    Third,
}

impl Turn {
    const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];
}

/// Gives `Known` a node's type, as there is no other way to one.
#[node(Data)]
fn nobody() {}

fn contract(node: &Placed) -> Contract {
    let reads = (0..FIELDS).filter(|field| node.act.reads >> field & 1 == 1);
    let own = FieldSet::EMPTY.with(VISITS);
    let fields = |replaces: bool| {
        let ops = node
            .act
            .ops
            .iter()
            .filter(move |op| !replaces || op.replaces());
        ops.fold(FieldSet::EMPTY, |set, op| set.with(op.field()))
    };
    Contract {
        reads: reads.fold(own, FieldSet::with),
        writes: fields(false).or(own.when(!node.act.idle)),
        replaces: fields(true),
        item: node.has_item,
        ..Contract::EMPTY
    }
}

impl Play {
    /// Does what the node that is due does, and returns the place of its outcome.
    async fn act(
        &self,
        place: usize,
        state: &mut Data,
        cx: &mut Context<'_>,
    ) -> Result<usize, NodeError> {
        let node = &self.laid.nodes[place];
        let key = unversioned(&cx.idempotency_key()).to_owned();
        let times = self.executed.begin(key.clone());
        self.chance.pause().await;
        let item = if node.has_item {
            Some(cx.item::<u32>()?)
        } else {
            None
        };
        let caught = cx
            .failure()
            .map(|failure| unversioned(&failure.node).to_owned());
        let mut thought = Thought::of(place, node, &Plain::from(&*state), item, caught.as_deref());
        for (key, question) in thought.questions().enumerate() {
            thought.hear(cx.ask(&key.to_string(), &question).await?);
            self.chance.pause().await;
        }
        let fails = match node.act.trouble {
            Trouble::None => false,
            Trouble::Flaky(first) => times <= first,
            Trouble::Fails(..) => thought.fails(node),
            Trouble::Stumbles => times == 1,
        };
        if fails {
            return Err(NodeError::new("so it was to be"));
        }
        for (place, op) in node.act.ops.iter().enumerate() {
            let field = FieldSet::EMPTY.with(op.field());
            let change = state.apply(*op, thought.value(place));
            if op.replaces() {
                cx.__replaced(field);
            } else {
                cx.__changed(field, change);
            }
        }
        if !node.act.idle {
            *state.visits.entry(place).or_default() += 1;
            cx.__set(FieldSet::EMPTY.with(VISITS));
        }
        if !node.act.reports {
            cx.__set(contract(node).writes);
        }
        self.executed.concluded.lock().unwrap().insert(key);
        Ok(thought.way(node))
    }
}

impl Runnable for Play {
    type State = Data;
    type Node = Name;
    type Outcome = ();

    fn topology(&self) -> Topology {
        let laid = &self.laid.topology;
        if self.version == 0 {
            return laid.clone();
        }
        let mut topology = Topology::new(laid.name().to_owned());
        for (_, node) in laid.nodes() {
            let mut shape = node.clone();
            shape.name = versioned(&node.name, self.version).into();
            let others = (0..VERSIONS).filter(|version| *version != self.version);
            let others = others.map(|version| versioned(&node.name, version));
            topology.node(others.fold(shape, NodeShape::renamed_from));
        }
        for (_, edge) in laid.edges() {
            topology.edge(edge.clone());
        }
        if let Some(start) = laid.start_node() {
            topology.start(start);
        }
        topology
    }

    fn given(&self) -> FieldSet {
        FieldSet::EMPTY
    }

    fn within(&self, _: usize) -> Option<Within<'_>> {
        None
    }

    fn nodes(&self) -> Vec<Known> {
        let known = |node: &Placed| {
            let mut known = Known::of::<Nobody, Data>();
            known.contract = contract(node);
            known.keeps_to_contract = node.act.reports;
            known
        };
        self.laid.nodes.iter().map(known).collect()
    }

    fn policies(&self) -> Vec<Policy> {
        let policy = |node: &Placed| {
            let times = match node.act.trouble {
                Trouble::Flaky(first) => first + 1,
                Trouble::Fails(times, _) => times,
                Trouble::None | Trouble::Stumbles => return Policy::new(),
            };
            Policy::new().retry(Retry::times(times).backoff(Duration::from_millis(10)))
        };
        self.laid.nodes.iter().map(policy).collect()
    }

    fn node(&self, index: usize) -> Name {
        Name(index)
    }

    async fn step(
        &self,
        mut node: usize,
        state: &mut Data,
        cx: &mut Context<'_>,
    ) -> Result<usize, NodeError> {
        loop {
            let turn = self.act(node, state, cx).await?;
            let edge = self.laid.nodes[node].ways[turn];
            cx.__concluded(&Turn::ALL[turn]);
            match cx.__pass(edge, &*state) {
                Some(next) => node = next,
                None => return Ok(edge),
            }
        }
    }

    fn pick(&self, node: usize, concluded: &Concluded, _: &Data) -> Result<usize, NodeError> {
        let mut turns = Turn::VARIANTS.iter();
        let turn = turns.position(|turn| turn.name == concluded.variant);
        turn.and_then(|turn| self.laid.nodes[node].ways.get(turn).copied())
            .ok_or_else(|| NodeError::new("it has no such turn"))
    }

    fn items(&self, _: usize, state: &Data) -> Vec<Item> {
        Plain::from(state)
            .items()
            .into_iter()
            .map(Item::new)
            .collect()
    }

    fn cache_key(&self, _: usize, _: &Data) -> Option<Result<Json, JsonError>> {
        None
    }

    fn question(&self, _: usize, _: &Data) -> Option<Result<Json, JsonError>> {
        None
    }

    fn end(&self, _: usize, _: bool) {}
}

// The fields stand where the shape says.
const _: () = {
    assert!(Data::FIELDS.len() == FIELDS);
    assert!(
        LOG == 0 && COUNT == 1 && SEEN == 2 && NOTES == 3 && HIGH == 4 && VISITS == 5 && PLAIN == 6
    );
};
