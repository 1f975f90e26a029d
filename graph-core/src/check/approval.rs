//! Handoffs that a person approves (H011): only what leads to a node can be refused, and it needs somewhere
//! else to go then.

use super::finding::Finding;
use super::text::fallback;
use crate::route::Route;
use crate::topology::{Edge, EdgeIndex, NodeIndex, Topology};

/// Finds the edges that ask for an approval in vain.
pub(super) fn check(topology: &Topology) -> impl Iterator<Item = Finding> {
    let mut found: Vec<_> = topology
        .edges()
        .filter(|(_, edge)| edge.route.approval().is_some())
        .filter_map(|(index, edge)| {
            let finding = if !is_handoff(edge) {
                Finding::NotApprovable { edge: index }
            } else if edge.route.otherwise().is_none() {
                Finding::NoRefusal { edge: index }
            } else {
                return None;
            };
            Some((edge.from, edge.route.target().node(), index, finding))
        })
        .collect();
    found.sort_by_key(|(from, to, edge, _)| (*from, *to, *edge));
    found.into_iter().map(|(.., finding)| finding)
}

/// Returns whether an edge is a handoff to a node, made when a node has concluded.
fn is_handoff(edge: &Edge<NodeIndex>) -> bool {
    edge.route.target().node().is_some() && edge.route.fork().is_none() && !edge.on_error
}

/// Returns whether an edge needs an approval and has no `else`, which is a finding of its own.
pub(super) fn lacks_refusal(edge: &Edge<NodeIndex>) -> bool {
    edge.route.approval().is_some() && edge.route.otherwise().is_none()
}

/// Says what is wrong with such an edge.
pub(super) fn message(topology: &Topology, finding: &Finding, edge: EdgeIndex) -> String {
    let code = finding.code();
    let from = topology
        .get_edge(edge)
        .map_or("?", |edge| topology.name_of(edge.from));
    match finding {
        Finding::NotApprovable { .. } => {
            format!("{code}: only a handoff to a node can be approved")
        }
        _ => format!(
            "{code}: an edge of `{from}` needs approval and has no `else`: \
             a refused handoff would have nowhere to go"
        ),
    }
}

/// Says how to mend it.
pub(super) fn help(topology: &Topology, edge: EdgeIndex) -> String {
    let Some(edge) = topology.get_edge(edge) else {
        return String::new();
    };
    if edge.on_error {
        return "remove it; the node that the error leads to can ask a person".to_owned();
    }
    if edge.route.fork().is_some() {
        return "put a node before the fork, and approve the handoff to it".to_owned();
    }
    if edge.route.target().node().is_none() {
        return "put a node before the end, and approve the handoff to it".to_owned();
    }
    let elsewhere = fallback(topology, edge);
    if elsewhere == *edge.route.target() {
        return "say where it goes then, with `else = node`".to_owned();
    }
    let route: Route<NodeIndex> = edge.route.bounded(edge.route.times(), Some(elsewhere));
    let route = route.map(|node| topology.name_of(node).to_owned());
    format!("say where it goes then, for example `{route}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check as check_all;
    use crate::topology::NodeShape;

    /// A desk of two nodes and a person, with these routes of the first.
    fn desk(routes: impl FnOnce(NodeIndex, NodeIndex) -> Vec<Edge<NodeIndex>>) -> Topology {
        let mut desk = Topology::new("Desk");
        let [judge, pay, clerk] =
            ["judge", "pay", "clerk"].map(|name| desk.node(NodeShape::new(name)));
        desk.start(judge);
        for edge in routes(judge, pay) {
            desk.edge(edge);
        }
        desk.edge(Edge::new(judge, "_", Route::to(clerk)));
        desk.edge(Edge::new(pay, "_", Route::end()));
        desk.edge(Edge::new(clerk, "_", Route::end()));
        desk
    }

    fn words(desk: &Topology) -> Vec<(String, String)> {
        let findings = check_all(desk);
        let words = findings
            .iter()
            .map(|found| (found.message(desk), found.help(desk)));
        words.collect()
    }

    #[test]
    fn an_approved_handoff_with_an_else_is_right_also_on_no_loop() {
        let desk = desk(|judge, pay| {
            let route = Route::to(pay).approve("large").or_end();
            vec![Edge::new(judge, "Due", route)]
        });
        assert_eq!(words(&desk), []);
    }

    #[test]
    fn a_refused_handoff_needs_somewhere_to_go() {
        let without = desk(|judge, pay| {
            let route = Route::to(pay).approve("large").limit(2);
            vec![Edge::new(judge, "Due", route)]
        });
        let [(message, help)] = &*words(&without) else {
            panic!("one finding");
        };
        assert_eq!(
            message,
            "H011: an edge of `judge` needs approval and has no `else`: \
             a refused handoff would have nowhere to go"
        );
        assert_eq!(
            help,
            "say where it goes then, for example `pay(limit = 2, approve = large, else = clerk)`"
        );
    }

    #[test]
    fn that_a_refused_handoff_has_no_way_is_one_finding_and_not_two() {
        let mut desk = Topology::new("Desk");
        let [judge, pay] = ["judge", "pay"].map(|name| desk.node(NodeShape::new(name)));
        desk.start(judge);
        let route = Route::to(pay).approve("large").limit(2);
        desk.edge(Edge::new(judge, "_", route));
        desk.edge(Edge::new(pay, "_", Route::end()));
        let found = check_all(&desk);
        assert!(matches!(&*found, [Finding::NoRefusal { .. }]), "{found:?}");
    }

    #[test]
    fn neither_an_end_nor_a_fork_nor_an_error_is_approved() {
        let desk = desk(|judge, pay| {
            vec![
                Edge::new(judge, "Done", Route::end().approve("large").or_end()),
                Edge::on_error(judge, Route::to(pay).approve("large").or_end()),
                Edge::on_error(pay, Route::to(judge).approve("large").limit(1)),
            ]
        });
        let found = check_all(&desk);
        assert_eq!(found.len(), 3, "{found:?}");
        for finding in &found {
            assert!(matches!(finding, Finding::NotApprovable { .. }));
            assert!(finding.message(&desk).contains("only a handoff to a node"));
        }
    }
}
