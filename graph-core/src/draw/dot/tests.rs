use super::*;
use crate::route::Route;
use crate::topology::Edge;

#[test]
fn a_drawing_shows_start_end_limits_elses_guards_people_and_docs() {
    let mut desk = Topology::new("SupportDesk");
    let triage = desk.node(NodeShape::new("triage").doc("Finds the right desk."));
    let billing = desk.node(NodeShape::new("billing"));
    let human = desk.node(NodeShape::new("human").kind(NodeKind::Human));
    desk.start(triage);
    desk.edge(Edge::new(triage, "Triaged::Billing { .. }", Route::to(billing)).guard("is_open"));
    desk.edge(Edge::new(triage, "_", Route::to(human)));
    desk.edge(Edge::new(billing, "Billed::Done", Route::end()));
    desk.edge(Edge::new(
        billing,
        "Billed::WrongDesk",
        Route::to(triage).limit(2).or_else(human),
    ));
    desk.edge(Edge::new(human, "_", Route::end()));

    assert_eq!(
        desk.dot().to_string(),
        r##"digraph "SupportDesk" {
    compound=true; fontname="sans-serif";
    node [shape=box, style=rounded, fontname="sans-serif"];
    edge [fontname="sans-serif", fontsize=11];
    "start" [shape=point];
    "triage" [color="#218bff", tooltip="Finds the right desk."];
    "billing" [color="#218bff"];
    "human" [shape=hexagon, style=solid];
    "end" [shape=doublecircle, label=end, fontsize=10, width=0.4, fixedsize=true];
    "start" -> "triage";
    "triage" -> "billing" [label="Triaged::Billing { .. }\nif is_open", color="#218bff"];
    "triage" -> "human";
    "billing" -> "end" [label="Billed::Done"];
    "billing" -> "triage" [label="Billed::WrongDesk\n≤ 2", style=dashed, constraint=false, color="#218bff"];
    "billing" -> "human" [label="else", style=dotted];
    "human" -> "end";
    label=<SupportDesk: at most 6 handoffs<BR
    /><FONT COLOR="#218bff">⟲ triage, billing: at most 2 laps</FONT><BR
    />>;
}
"##,
    );
}

#[test]
fn an_approved_handoff_names_its_question() {
    let mut desk = Topology::new("Desk");
    let [judge, pay] = ["judge", "pay"].map(|name| desk.node(NodeShape::new(name)));
    desk.start(judge);
    let route = Route::to(pay).approve("large_refund").limit(2).or_end();
    desk.edge(Edge::new(judge, "_", route));
    desk.edge(Edge::new(pay, "_", Route::end()));

    let drawn = desk.dot().to_string();
    let arrow = r#""judge" -> "pay" [label="≤ 2\napprove = large_refund"];"#;
    assert!(drawn.contains(arrow), "{drawn}");
    let read = Topology::from_dot(&drawn).unwrap();
    assert!(desk.diff(&read).is_empty(), "{}", desk.diff(&read));
}

#[test]
fn a_fork_is_drawn_as_its_branches_with_the_join_and_an_error_in_red() {
    let mut desk = Topology::new("Research");
    let [plan, web, papers, facts, sum] =
        ["plan", "web", "papers", "facts", "sum"].map(|name| desk.node(NodeShape::new(name)));
    desk.start(plan);
    let all = Route::all([web, papers], sum).limit(2).or_end();
    desk.edge(Edge::new(plan, "Planned::Broad", all));
    let each = Route::each("questions", facts, sum).concurrency(8);
    desk.edge(Edge::new(plan, "Planned::Deep", each).guard("is_open"));
    for branch in [web, papers, facts] {
        desk.edge(Edge::new(branch, "_", Route::to(sum)));
    }
    desk.edge(Edge::on_error(web, Route::to(papers)));
    desk.edge(Edge::on_error(
        facts,
        Route::to(facts).limit(2).or_else(sum),
    ));
    desk.edge(Edge::new(sum, "_", Route::end()));

    assert_eq!(crate::check::check(&desk), []);
    assert_eq!(
        desk.dot().to_string(),
        r##"digraph "Research" {
    compound=true; fontname="sans-serif";
    node [shape=box, style=rounded, fontname="sans-serif"];
    edge [fontname="sans-serif", fontsize=11];
    "start" [shape=point];
    "plan";
    "plan/all" [label="", width=0.9, height=0.05, style=filled, fillcolor=black, join="sum"];
    "plan/each" [label="", width=0.9, height=0.05, style=filled, fillcolor=black, join="sum"];
    subgraph "cluster_sum/join" {
        style="rounded,dashed"; color="#afb8c1"; label="";
        "web";
        "papers";
        "facts" [color="#218bff"];
    }
    "sum/join" [label="", width=0.9, height=0.05, style=filled, fillcolor=black];
    "sum";
    "sum/join" -> "sum";
    "end" [shape=doublecircle, label=end, fontsize=10, width=0.4, fixedsize=true];
    "start" -> "plan";
    "plan" -> "plan/all" [label="Planned::Broad\n≤ 2", arrowhead=none];
    "plan/all" -> "web";
    "plan/all" -> "papers";
    "plan" -> "end" [label="else", style=dotted];
    "plan" -> "plan/each" [label="Planned::Deep\nif is_open\n8 at a time", arrowhead=none];
    "plan/each" -> "facts" [label="each(questions)"];
    "web" -> "sum/join" [arrowhead=none];
    "papers" -> "sum/join" [arrowhead=none];
    "facts" -> "sum/join" [arrowhead=none];
    "web" -> "papers" [label="error", class=error, color="#e5534b", fontcolor="#e5534b"];
    "facts" -> "facts" [label="error\n≤ 2", class=error, style=dashed, constraint=false, color="#e5534b", fontcolor="#e5534b"];
    "facts" -> "sum/join" [label="else", class=error, style=dotted, color="#e5534b", fontcolor="#e5534b", arrowhead=none];
    "sum" -> "end";
    label=<Research: at most 4 handoffs<BR
    /><FONT COLOR="#218bff">⟲ facts: at most 2 laps</FONT><BR
    />>;
}
"##,
    );
}

#[test]
fn a_graph_within_the_graph_is_a_cluster() {
    let mut inmost = Topology::new("Ledger");
    let ask = inmost.node(NodeShape::new("ask").kind(NodeKind::Human));
    inmost.start(ask);
    inmost.edge(Edge::new(ask, "_", Route::end()));
    let mut inner = Topology::new("Billing");
    let look = inner.node(NodeShape::new("look").doc("Finds the charge."));
    let ledger = inner.node(NodeShape::new("ledger").inner(inmost));
    inner.start(ledger);
    inner.edge(Edge::new(ledger, "_", Route::to(look)));
    inner.edge(Edge::new(look, "_", Route::end()));
    let mut desk = Topology::new("Desk");
    let triage = desk.node(NodeShape::new("triage"));
    let billing = desk.node(NodeShape::new("billing").doc("Charges.").inner(inner));
    let unknown = desk.node(NodeShape::new("unknown").kind(NodeKind::Graph));
    desk.start(triage);
    desk.edge(Edge::new(triage, "_", Route::to(billing)));
    desk.edge(Edge::new(billing, "Verdict::Yes", Route::to(unknown)));
    let again = Route::to(billing).limit(1).or_end();
    desk.edge(Edge::new(billing, "_", again));
    desk.edge(Edge::new(unknown, "_", Route::end()));

    assert_eq!(
        desk.dot().to_string(),
        r##"digraph "Desk" {
    compound=true; fontname="sans-serif";
    node [shape=box, style=rounded, fontname="sans-serif"];
    edge [fontname="sans-serif", fontsize=11];
    "start" [shape=point];
    "triage";
    subgraph "cluster_billing" {
        style=solid; color=black; label="billing"; tooltip="Charges.";
        "billing/start" [shape=point];
        "billing/look" [label="look", tooltip="Finds the charge."];
        subgraph "cluster_billing/ledger" {
            style=solid; color=black; label="ledger";
            "billing/ledger/start" [shape=point];
            "billing/ledger/ask" [label="ask", shape=hexagon, style=solid];
            "billing/ledger/end" [shape=doublecircle, label=end, fontsize=10, width=0.4, fixedsize=true];
            "billing/ledger/start" -> "billing/ledger/ask";
            "billing/ledger/ask" -> "billing/ledger/end";
        }
        "billing/end" [shape=doublecircle, label=end, fontsize=10, width=0.4, fixedsize=true];
        "billing/start" -> "billing/ledger/start" [lhead="cluster_billing/ledger"];
        "billing/ledger/end" -> "billing/look" [ltail="cluster_billing/ledger"];
        "billing/look" -> "billing/end";
    }
    "unknown" [style=solid, peripheries=2];
    "end" [shape=doublecircle, label=end, fontsize=10, width=0.4, fixedsize=true];
    "start" -> "triage";
    "triage" -> "billing/start" [lhead="cluster_billing"];
    "billing/end" -> "unknown" [label="Verdict::Yes", ltail="cluster_billing"];
    "billing/end" -> "billing/start" [label="≤ 1", style=dashed, constraint=false, color="#218bff"];
    "billing/end" -> "end" [label="else", style=dotted, ltail="cluster_billing"];
    "unknown" -> "end";
    label=<Desk: at most 3 handoffs<BR
    /><FONT COLOR="#218bff">⟲ billing: at most 1 lap</FONT><BR
    />>;
}
"##,
    );
}

#[test]
fn a_slash_in_a_name_is_no_cluster_and_a_mark_no_node() {
    let mut inner = Topology::new("Inner");
    let b = inner.node(NodeShape::new("b"));
    inner.start(b);
    inner.edge(Edge::new(b, "_", Route::end()));
    let mut desk = Topology::new("Desk");
    let a = desk.node(NodeShape::new("a/b"));
    desk.node(NodeShape::new("end"));
    desk.node(NodeShape::new("a").inner(inner));
    desk.edge(Edge::new(a, "_", Route::end()));

    let drawing = desk.dot().to_string();
    assert!(drawing.contains("\"a%2Fb\" [label=\"a/b\"];"), "{drawing}");
    assert!(drawing.contains("\"%65nd\" [label=\"end\"];"), "{drawing}");
    assert!(drawing.contains("\"a/b\" [label=\"b\"];"), "{drawing}");
}

#[test]
fn a_new_node_changes_no_other_line() {
    let draw = |names: &[&'static str]| {
        let mut desk = Topology::new("Desk");
        for name in names {
            let node = desk.node(NodeShape::new(*name));
            desk.edge(Edge::new(node, "_", Route::end()));
        }
        desk.dot().to_string()
    };
    let (before, after) = (draw(&["a", "c"]), draw(&["a", "b", "c"]));
    let kept: Vec<_> = after
        .lines()
        .filter(|line| !line.contains("\"b\""))
        .collect();
    assert_eq!(kept, before.lines().collect::<Vec<_>>());
}

#[test]
fn the_end_is_drawn_only_if_something_leads_there() {
    let mut desk = Topology::new("Desk");
    let a = desk.node(NodeShape::new("a"));
    assert!(!desk.dot().to_string().contains("\"end\""));

    desk.edge(Edge::new(a, "_", Route::to(a).limit(1).or_end()));
    assert!(
        desk.dot()
            .to_string()
            .contains("\"end\" [shape=doublecircle")
    );
}
