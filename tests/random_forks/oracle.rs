//! What a run must come to: a naive interpreter, which goes through one branch after the other.

use std::collections::{BTreeMap, BTreeSet};

use handoffs::{Branches, EdgeIndex, NodeIndex, Target};

use crate::shape::{
    COUNT, FIELDS, HIGH, LOG, Laid, NOTES, Op, PLAIN, Placed, SEEN, Trouble, VISITS,
};

/// The state as plain data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plain {
    pub(crate) log: Vec<u32>,
    pub(crate) count: i64,
    pub(crate) seen: BTreeSet<u32>,
    pub(crate) notes: BTreeMap<u32, u32>,
    pub(crate) high: Option<u32>,
    pub(crate) visits: BTreeMap<usize, u32>,
    pub(crate) own: [u32; FIELDS - PLAIN],
}

/// Stirs a number into a hash.
pub(crate) const fn stir(hash: u64, more: u64) -> u64 {
    let mixed =
        (hash ^ more.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x1234_5678_9abc_def1);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Returns what a person answers to a question.
pub(crate) const fn answer(question: u64) -> u32 {
    (stir(7, question) >> 40) as u32
}

impl Plain {
    /// Returns a hash of those fields whose bits are set.
    pub(crate) fn hash(&self, fields: u64) -> u64 {
        let mut hash = 0;
        let mut of = |field: usize, values: &mut dyn Iterator<Item = u64>| {
            if fields >> field & 1 == 1 {
                hash = stir(hash, field as u64);
                hash = values.fold(hash, stir);
            }
        };
        of(LOG, &mut self.log.iter().copied().map(u64::from));
        of(COUNT, &mut [self.count.cast_unsigned()].into_iter());
        of(SEEN, &mut self.seen.iter().copied().map(u64::from));
        of(
            NOTES,
            &mut self
                .notes
                .iter()
                .flat_map(|(key, value)| [u64::from(*key), u64::from(*value)]),
        );
        of(HIGH, &mut self.high.into_iter().map(u64::from));
        for (place, value) in self.own.iter().enumerate() {
            of(PLAIN + place, &mut [u64::from(*value)].into_iter());
        }
        hash
    }

    /// Lists the items of an `each`.
    pub(crate) fn items(&self) -> Vec<u32> {
        let hash = self.hash(u64::MAX);
        (0..hash % 4)
            .map(|item| (stir(hash, item) >> 40) as u32)
            .collect()
    }

    fn apply(&mut self, op: Op, value: u32) {
        match op {
            Op::Push => self.log.push(value),
            Op::Rewrite => {
                self.log.truncate(self.log.len() / 2);
                self.log.push(value);
            }
            Op::Add => self.count += i64::from(value % 7) - 3,
            Op::Insert => drop(self.seen.insert(value % 16)),
            Op::Remove => drop(self.seen.remove(&(value % 16))),
            Op::Put => drop(self.notes.insert(value % 8, value)),
            Op::See => self.high = self.high.max(Some(value)),
            Op::Plain(place) => self.own[place] = value,
            Op::ReplaceLog => self.log = vec![value],
            Op::ReplaceCount => self.count = value.into(),
            Op::ReplaceSeen => self.seen = BTreeSet::from([value % 16]),
        }
    }

    fn take(&mut self, field: usize, from: &Self) {
        match field {
            LOG => self.log.clone_from(&from.log),
            COUNT => self.count = from.count,
            SEEN => self.seen.clone_from(&from.seen),
            NOTES => self.notes.clone_from(&from.notes),
            HIGH => self.high = from.high,
            VISITS => self.visits.clone_from(&from.visits),
            plain => self.own[plain - PLAIN] = from.own[plain - PLAIN],
        }
    }

    /// Brings in what a branch has made of a field that another has changed already.
    fn merge(&mut self, field: usize, base: &Self, branch: &Self, rewritten: bool) {
        match field {
            // Of a log that a branch wrote anew, all is new, unless it begins with what there was.
            LOG if rewritten && !branch.log.starts_with(&base.log) => {
                if self.log == base.log {
                    self.log.clear();
                }
                self.log.extend(&branch.log);
            }
            LOG => self.log.extend(branch.log.iter().skip(base.log.len())),
            COUNT => self.count += branch.count - base.count,
            SEEN => {
                let (was, is) = (&base.seen, &branch.seen);
                self.seen
                    .retain(|item| is.contains(item) || !was.contains(item));
                self.seen.extend(is - was);
            }
            NOTES => merge_maps(&mut self.notes, &base.notes, &branch.notes),
            HIGH => self.high = self.high.max(branch.high),
            VISITS => merge_maps(&mut self.visits, &base.visits, &branch.visits),
            _ => panic!("two branches wrote field {field}"),
        }
    }
}

/// Nobody removes a key.
fn merge_maps<K: Ord + Copy>(
    map: &mut BTreeMap<K, u32>,
    base: &BTreeMap<K, u32>,
    branch: &BTreeMap<K, u32>,
) {
    for (key, value) in branch {
        if base.get(key) != Some(value) {
            map.insert(*key, *value);
        }
    }
}

/// What a node makes of what it sees.
pub(crate) struct Thought {
    hash: u64,
    questions: u64,
}

impl Thought {
    pub(crate) fn of(
        place: usize,
        node: &Placed,
        state: &Plain,
        item: Option<u32>,
        caught: Option<&str>,
    ) -> Self {
        let visits = state.visits.get(&place).copied().unwrap_or(0);
        let mut hash = stir(node.act.seed, state.hash(node.act.reads));
        hash = stir(hash, visits.into());
        hash = stir(hash, item.map_or(0, |item| 1 + u64::from(item)));
        hash = caught.unwrap_or("").bytes().map(u64::from).fold(hash, stir);
        Self {
            hash,
            questions: hash % (node.act.asks + 1),
        }
    }

    pub(crate) fn questions(&self) -> impl Iterator<Item = u64> + use<> {
        let hash = self.hash;
        (0..self.questions).map(move |question| stir(hash, question))
    }

    pub(crate) fn hear(&mut self, answer: u32) {
        self.hash = stir(self.hash, answer.into());
    }

    pub(crate) fn fails(&self, node: &Placed) -> bool {
        matches!(node.act.trouble, Trouble::Fails(..)) && self.hash.is_multiple_of(3)
    }

    pub(crate) fn way(&self, node: &Placed) -> usize {
        (self.hash >> 8) as usize % node.ways.len()
    }

    pub(crate) fn value(&self, place: usize) -> u32 {
        (stir(self.hash, place as u64) >> 44) as u32
    }
}

/// Where a branch lies: on each level, after which fork of the path, and which of its branches.
pub(crate) type Way = Vec<(usize, usize)>;

/// What a run must come to.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The lines of each path.
    pub(crate) lines: BTreeMap<Way, Vec<String>>,
    /// The state after each line of the trunk.
    pub(crate) trunk: Vec<Plain>,
    pub(crate) steps: usize,
    /// The most handoffs along a path.
    pub(crate) handoffs: u64,
    pub(crate) fin: Plain,
}

/// Writes a line of a path down.
pub(crate) fn line(node: &str, edge: usize, masked: &str, to: &str, fork: Option<usize>) -> String {
    let fork = fork.map_or(String::new(), |branches| format!(" into {branches}"));
    format!("{node} by {edge}{masked} to {to}{fork}")
}

/// How often an edge was taken, in which epoch the last time, and how the state was.
type Lap = (u32, u64, Plain);

#[derive(Clone)]
struct Path {
    state: Plain,
    touched: u64,
    replaced: u64,
    /// Whether its log was not only appended to.
    rewritten: bool,
    laps: Vec<Lap>,
    epoch: u64,
    was_answered: bool,
    handoffs: u64,
    item: Option<u32>,
}

impl Path {
    /// Does what a node does that does not fail.
    fn act(&mut self, place: usize, node: &Placed, thought: &Thought) {
        for (place, op) in node.act.ops.iter().enumerate() {
            self.state.apply(*op, thought.value(place));
            self.touched |= 1 << op.field();
            self.replaced |= u64::from(op.replaces()) << op.field();
            // What a node that tells nothing did to a log counts as written anew.
            self.rewritten |= op.field() == LOG && (*op != Op::Push || !node.act.reports);
        }
        if !node.act.idle {
            *self.state.visits.entry(place).or_default() += 1;
            self.touched |= 1 << VISITS;
        }
    }
}

pub(crate) struct Oracle<'a> {
    laid: &'a Laid,
    watch: bool,
    epochs: u64,
    most: usize,
    expected: Expected,
}

impl<'a> Oracle<'a> {
    /// Returns what the run comes to, or nothing if it takes more than so many steps.
    pub(crate) fn expect(
        laid: &'a Laid,
        state: Plain,
        watch: bool,
        most: usize,
    ) -> Option<Expected> {
        let mut oracle = Self {
            laid,
            watch,
            epochs: 0,
            most,
            expected: Expected::default(),
        };
        oracle.expected.trunk.push(state.clone());
        let path = Path {
            state,
            touched: 0,
            replaced: 0,
            rewritten: false,
            laps: vec![Lap::default(); laid.topology.edges().len()],
            epoch: 0,
            was_answered: false,
            handoffs: 0,
            item: None,
        };
        let start = laid.topology.start_node()?;
        let path = oracle.follow(path, start, None, &Way::new())?;
        oracle.expected.handoffs = path.handoffs;
        oracle.expected.fin = path.state;
        Some(oracle.expected)
    }

    fn epoch(&mut self) -> u64 {
        self.epochs += 1;
        self.epochs
    }

    fn note(&mut self, way: &Way, line: String, state: &Plain) {
        self.expected
            .lines
            .entry(way.clone())
            .or_default()
            .push(line);
        if way.is_empty() {
            self.expected.trunk.push(state.clone());
        }
    }

    /// Follows a path to its join, or to the end.
    fn follow(
        &mut self,
        mut path: Path,
        from: NodeIndex,
        join: Option<NodeIndex>,
        way: &Way,
    ) -> Option<Path> {
        let laid = self.laid;
        let (mut at, mut caught, mut forks) = (from, None::<String>, 0);
        loop {
            self.expected.steps += 1;
            if self.expected.steps > self.most {
                return None;
            }
            let place = usize::from(at.0);
            let node = &laid.nodes[place];
            let name = laid.topology.name_of(at);
            let mut thought = Thought::of(place, node, &path.state, path.item, caught.as_deref());
            for question in thought.questions() {
                thought.hear(answer(question));
                path.epoch = self.epoch();
                path.was_answered = true;
            }
            let (edge, failed);
            if thought.fails(node) {
                let Trouble::Fails(attempts, _) = node.act.trouble else {
                    unreachable!()
                };
                (edge, failed) = (node.on_error?, format!(", failed {attempts} times"));
                caught = Some(name.to_owned());
            } else {
                path.act(place, node, &thought);
                (edge, failed) = (node.ways[thought.way(node)], String::new());
                caught = None;
            }
            let route = &laid
                .topology
                .get_edge(EdgeIndex(u16::try_from(edge).ok()?))?
                .route;
            let masked = self.masked(&path, edge, route.times());
            if masked.is_empty() && route.times().is_some() {
                path.laps[edge] = (path.laps[edge].0 + 1, path.epoch, path.state.clone());
            }
            let is_masked = !masked.is_empty();
            let masked = format!("{failed}{masked}");
            if let (Some(fork), false) = (route.fork(), is_masked) {
                let items = match &fork.branches {
                    Branches::All(entries) => {
                        entries.iter().map(|entry| (*entry, path.item)).collect()
                    }
                    Branches::Each { worker, .. } => {
                        let items = path.state.items().into_iter();
                        items.map(|item| (*worker, Some(item))).collect::<Vec<_>>()
                    }
                };
                self.note(
                    way,
                    line(name, edge, &masked, "branches", Some(items.len())),
                    &path.state,
                );
                let to = route.target().node()?;
                let mut back = Vec::new();
                for (place, (entry, item)) in items.into_iter().enumerate() {
                    let branch = Path {
                        touched: 0,
                        replaced: 0,
                        rewritten: false,
                        epoch: self.epoch(),
                        was_answered: false,
                        handoffs: path.handoffs + 1,
                        item,
                        ..path.clone()
                    };
                    let mut way = way.clone();
                    way.push((forks, place));
                    back.push(self.follow(branch, entry, Some(to), &way)?);
                }
                forks += 1;
                self.join(&mut path, &back);
                self.note(
                    way,
                    format!("joined at {}", laid.topology.name_of(to)),
                    &path.state,
                );
                caught = None;
                at = to;
                continue;
            }
            let to = if is_masked {
                route.otherwise()?
            } else {
                route.target()
            };
            let to_name = to.node().map_or("end", |to| laid.topology.name_of(to));
            self.note(way, line(name, edge, &masked, to_name, None), &path.state);
            let Target::Node(to) = to else {
                return Some(path);
            };
            path.handoffs += 1;
            if Some(*to) == join {
                return Some(path);
            }
            at = *to;
        }
    }

    fn masked(&self, path: &Path, edge: usize, limit: Option<u32>) -> &'static str {
        let (taken, epoch, state) = &path.laps[edge];
        match limit {
            Some(limit) if *taken >= limit => ", its limit used up",
            Some(_) if *taken == 0 => "",
            Some(_) if self.watch && *epoch == path.epoch && *state == path.state => {
                ", without progress"
            }
            _ => "",
        }
    }

    /// Puts together what the branches have made of the state, and what they used up.
    fn join(&mut self, path: &mut Path, branches: &[Path]) {
        let base = path.state.clone();
        for field in 0..FIELDS {
            let touched = branches
                .iter()
                .filter(|branch| branch.touched >> field & 1 == 1);
            for (place, branch) in touched.clone().enumerate() {
                path.touched |= 1 << field;
                if place == 0 {
                    path.state.take(field, &branch.state);
                } else {
                    path.state
                        .merge(field, &base, &branch.state, branch.rewritten);
                }
                path.rewritten |= field == LOG && branch.rewritten;
            }
            if let Some(branch) = touched
                .clone()
                .find(|branch| branch.replaced >> field & 1 == 1)
            {
                path.replaced |= 1 << field;
                path.state.take(field, &branch.state);
            }
        }
        for branch in branches {
            for (lap, of_branch) in path.laps.iter_mut().zip(&branch.laps) {
                if of_branch.0 > lap.0 {
                    lap.clone_from(of_branch);
                }
            }
        }
        path.handoffs = match branches.iter().map(|branch| branch.handoffs).max() {
            Some(most) => most,
            None => path.handoffs + 1,
        };
        if branches.iter().any(|branch| branch.was_answered) {
            path.was_answered = true;
            path.epoch = self.epoch();
        }
    }
}
