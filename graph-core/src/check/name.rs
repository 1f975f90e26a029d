//! Names: which a node may have (H011), and what an unknown one may have meant (H001).

use std::collections::{HashMap, HashSet};

use super::finding::{Code, Finding};
use super::text::quoted;
use crate::topology::{NodeIndex, Topology};

/// The words that mean something of their own where a route names a node.
pub(super) const RESERVED: [&str; 6] = ["end", "back", "all", "each", "start", "join"];

impl Topology {
    /// Finds a node by its name.
    ///
    /// ```
    /// use handoffs_core::{NodeShape, Topology};
    ///
    /// let mut desk = Topology::new("SupportDesk");
    /// let billing = desk.node(NodeShape::new("billing"));
    ///
    /// assert_eq!(desk.resolve("billing"), Ok(billing));
    /// let unknown = desk.resolve("biling").unwrap_err();
    /// assert_eq!(unknown.to_string(), "H001: no node is named `biling`");
    /// assert_eq!(unknown.help(), "did you mean `billing`?");
    /// ```
    ///
    /// # Errors
    ///
    /// [`UnknownNode`], which names the nearest, when no node has this name.
    pub fn resolve(&self, name: &str) -> Result<NodeIndex, UnknownNode> {
        self.nodes()
            .find(|(_, node)| node.name == name)
            .map(|(index, _)| index)
            .ok_or_else(|| unknown(self, name))
    }
}

/// A name that is no node's (H001).
///
/// ```
/// use handoffs_core::UnknownNode;
///
/// let unknown = UnknownNode::new("biling", ["triage", "billing"]);
/// assert_eq!(unknown.to_string(), "H001: no node is named `biling`");
/// assert_eq!(unknown.help(), "did you mean `billing`?");
///
/// let unknown = UnknownNode::new("refunds", ["triage", "billing"]);
/// assert_eq!(unknown.help(), "the nodes are: `triage`, `billing`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: no node is named `{name}`", Code::H001)]
pub struct UnknownNode {
    name: String,
    help: String,
}

impl UnknownNode {
    /// Looks for what `name` may have meant among the names of the nodes and `end`.
    pub fn new<'a>(name: &str, nodes: impl IntoIterator<Item = &'a str>) -> Self {
        const SHOWN: usize = 8;
        let nodes: Vec<&str> = nodes.into_iter().collect();
        let candidates = nodes.iter().copied().chain(["end"]);
        let help = match nearest(name, candidates) {
            Some(near) => format!("did you mean `{near}`?"),
            None if nodes.is_empty() => "the graph has no nodes".to_owned(),
            None if nodes.len() <= SHOWN => format!("the nodes are: {}", quoted(nodes)),
            None => {
                let more = nodes.len() - SHOWN;
                let shown = quoted(nodes.into_iter().take(SHOWN));
                format!("the nodes are: {shown} and {more} more")
            }
        };
        Self {
            name: name.to_owned(),
            help,
        }
    }

    /// Returns the name that was looked up.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the nearest name, or the list of those that exist.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// Returns the candidate that `name` most likely meant, if one is near enough: at most a third of
/// its letters added, lost, changed or swapped. Of two that are equally near it is the first.
///
/// ```
/// use handoffs_core::nearest;
///
/// assert_eq!(nearest("biling", ["triage", "billing"]), Some("billing"));
/// assert_eq!(nearest("Triage", ["triage", "billing"]), Some("triage"));
/// assert_eq!(nearest("refunds", ["triage", "billing"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |word: &str| word.to_lowercase().chars().collect::<Vec<_>>();
    let wanted = letters(name);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters = letters(candidate);
            let allowed = (wanted.len().max(letters.len()) / 3).max(1);
            // A word that is all changes is no near miss, however short it is.
            let allowed = allowed.min(letters.len().saturating_sub(1));
            // The lengths alone settle most pairs, and the table below grows with their product.
            if wanted.len().abs_diff(letters.len()) > allowed {
                return None;
            }
            let distance = distance(&wanted, &letters);
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts the letters to add, drop, change or swap with their neighbour to get from `a` to `b`: the
/// optimal string alignment distance, a restricted form of F. Damerau's (CACM 7:3, 1964).
fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table are enough: a swap looks back two.
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let changed = last[j] + usize::from(left != right);
            let mut cheapest = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                cheapest = cheapest.min(before_last[j - 1] + 1);
            }
            row.push(cheapest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Finds the nodes that were named by a place where there is none.
pub(super) fn undeclared(topology: &Topology) -> impl Iterator<Item = Finding> {
    topology
        .undeclared()
        .iter()
        .map(|index| Finding::UnknownNode {
            unknown: unknown(topology, &format!("#{index}")),
        })
}

fn unknown(topology: &Topology, name: &str) -> UnknownNode {
    UnknownNode::new(name, topology.nodes().map(|(_, node)| node.name.as_ref()))
}

/// Finds the nodes whose name is taken or reserved.
pub(super) fn misnamed(topology: &Topology) -> Vec<Finding> {
    let mut seen: HashMap<&str, NodeIndex> = HashMap::new();
    let mut findings = Vec::new();
    for (node, shape) in topology.nodes() {
        let name = shape.name.as_ref();
        if let Some(&first) = seen.get(name) {
            findings.push(Finding::DuplicateName { node, first });
            continue;
        }
        seen.insert(name, node);
        if RESERVED.contains(&name) {
            findings.push(Finding::ReservedName { node });
        }
    }
    findings
}

/// Finds the former names by which nobody could tell whose an old entry is.
pub(super) fn ambiguous(topology: &Topology) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut graphs = HashSet::new();
    for (at, old) in topology.former_names().enumerate() {
        if old == topology.name() {
            findings.push(Finding::FormerNameTaken { node: None, at });
        } else if !graphs.insert(old) {
            findings.push(Finding::FormerNameTwice { node: None, at });
        }
    }
    let present: HashSet<_> = topology
        .nodes()
        .map(|(_, node)| node.name.as_ref())
        .collect();
    let mut seen = HashSet::new();
    for (node, shape) in topology.nodes() {
        for (at, old) in shape.renamed_from.iter().enumerate() {
            let node = Some(node);
            if present.contains(old.as_ref()) {
                findings.push(Finding::FormerNameTaken { node, at });
            } else if !seen.insert(old.as_ref()) {
                findings.push(Finding::FormerNameTwice { node, at });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(a: &str, b: &str) -> usize {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        distance(&letters(a), &letters(b))
    }

    #[test]
    fn a_swap_of_neighbours_is_one_step() {
        assert_eq!(steps("traige", "triage"), 1);
        assert_eq!(steps("ba", "ab"), 1);
    }

    #[test]
    fn letters_added_lost_and_changed_are_one_step_each() {
        assert_eq!(steps("", "abc"), 3);
        assert_eq!(steps("abc", ""), 3);
        assert_eq!(steps("billing", "biling"), 1);
        assert_eq!(steps("kitten", "sitting"), 3);
    }

    #[test]
    fn the_first_of_two_equally_near_names_wins() {
        assert_eq!(nearest("desk_c", ["desk_a", "desk_b"]), Some("desk_a"));
    }

    #[test]
    fn a_short_name_is_not_near_to_every_other_short_name() {
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest("", ["b"]), None);
        assert_eq!(nearest("ab", ["ac"]), Some("ac"));
    }

    #[test]
    fn the_end_counts_among_the_near_names() {
        assert_eq!(
            UnknownNode::new("ende", ["triage"]).help(),
            "did you mean `end`?"
        );
    }

    #[test]
    fn a_long_list_of_nodes_is_cut() {
        let nodes: Vec<String> = (0..20).map(|n| format!("desk_number_{n}")).collect();
        let unknown = UnknownNode::new("x", nodes.iter().map(String::as_str));
        assert!(
            unknown.help().ends_with("`desk_number_7` and 12 more"),
            "{}",
            unknown.help()
        );
    }

    #[test]
    fn a_graph_without_nodes_says_so() {
        assert_eq!(UnknownNode::new("x", []).help(), "the graph has no nodes");
    }
}
