use super::*;
use crate::route::Route;

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
        r#"digraph "SupportDesk" {
    node [shape=box, style=rounded];
    "start" [shape=point];
    "start" -> "triage";
    "triage" [tooltip="Finds the right desk."];
    "billing";
    "human" [shape=hexagon, style=solid];
    "end" [shape=doublecircle];
    "triage" -> "billing" [label="Triaged::Billing { .. } if is_open"];
    "triage" -> "human" [label="_"];
    "billing" -> "end" [label="Billed::Done"];
    "billing" -> "triage" [label="Billed::WrongDesk, ≤ 2", style=dashed];
    "billing" -> "human" [label="else", style=dotted];
    "human" -> "end" [label="_"];
}
"#,
    );
}

#[test]
fn an_approved_handoff_names_its_question_and_has_a_gate() {
    let mut desk = Topology::new("Desk");
    let [judge, pay] = ["judge", "pay"].map(|name| desk.node(NodeShape::new(name)));
    desk.start(judge);
    let route = Route::to(pay).approve("large_refund").limit(2).or_end();
    desk.edge(Edge::new(judge, "_", route));
    desk.edge(Edge::new(pay, "_", Route::end()));

    let drawn = desk.dot().to_string();
    let arrow = r#""judge" -> "pay" [label="_, ≤ 2, approve = large_refund", style=dashed, arrowhead=normalodiamond];"#;
    assert!(drawn.contains(arrow), "{drawn}");
    assert!(drawn.contains(r#""judge" -> "end" [label="else", style=dotted];"#));
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
        r#"digraph "Research" {
    node [shape=box, style=rounded];
    "start" [shape=point];
    "start" -> "plan";
    "plan";
    "web";
    "papers";
    "facts";
    "sum";
    "end" [shape=doublecircle];
    "plan" -> "web" [label="Planned::Broad, all join sum, ≤ 2", style="bold,dashed"];
    "plan" -> "papers" [label="Planned::Broad, all join sum, ≤ 2", style="bold,dashed"];
    "plan" -> "end" [label="else", style=dotted];
    "plan" -> "facts" [label="Planned::Deep if is_open, each(questions) join sum, 8 at a time", style=bold];
    "web" -> "sum" [label="_"];
    "papers" -> "sum" [label="_"];
    "facts" -> "sum" [label="_"];
    "web" -> "papers" [label="error", style=dashed, color=red, fontcolor=red];
    "facts" -> "facts" [label="error, ≤ 2", style=dashed, color=red, fontcolor=red];
    "facts" -> "sum" [label="else", style=dotted];
    "sum" -> "end" [label="_"];
}
"#,
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
        r#"digraph "Desk" {
    compound=true;
    node [shape=box, style=rounded];
    "start" [shape=point];
    "start" -> "triage";
    "triage";
    subgraph "cluster_billing" {
        label="billing"; tooltip="Charges.";
        "billing/start" [shape=point];
        "billing/start" -> "billing/ledger/start" [lhead="cluster_billing/ledger"];
        "billing/look" [label="look", tooltip="Finds the charge."];
        subgraph "cluster_billing/ledger" {
            label="ledger";
            "billing/ledger/start" [shape=point];
            "billing/ledger/start" -> "billing/ledger/ask";
            "billing/ledger/ask" [label="ask", shape=hexagon, style=solid];
            "billing/ledger/end" [shape=doublecircle, label="end"];
            "billing/ledger/ask" -> "billing/ledger/end" [label="_"];
        }
        "billing/end" [shape=doublecircle, label="end"];
        "billing/ledger/end" -> "billing/look" [label="_", ltail="cluster_billing/ledger"];
        "billing/look" -> "billing/end" [label="_"];
    }
    "unknown" [style=solid, peripheries=2];
    "end" [shape=doublecircle];
    "triage" -> "billing/start" [label="_", lhead="cluster_billing"];
    "billing/end" -> "unknown" [label="Verdict::Yes", ltail="cluster_billing"];
    "billing/end" -> "billing/start" [label="_, ≤ 1", style=dashed];
    "billing/end" -> "end" [label="else", style=dotted, ltail="cluster_billing"];
    "unknown" -> "end" [label="_"];
}
"#,
    );
}

#[test]
fn a_slash_in_a_name_is_no_cluster() {
    let mut inner = Topology::new("Inner");
    let b = inner.node(NodeShape::new("b"));
    inner.start(b);
    inner.edge(Edge::new(b, "_", Route::end()));
    let mut desk = Topology::new("Desk");
    let a = desk.node(NodeShape::new("a/b"));
    desk.edge(Edge::new(a, "_", Route::end()));
    assert!(desk.dot().to_string().contains("\n    \"a/b\";\n"));

    desk.node(NodeShape::new("a").inner(inner));
    let drawing = desk.dot().to_string();
    assert!(drawing.contains("\"a%2Fb\" [label=\"a/b\"];"), "{drawing}");
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
    assert!(!desk.dot().to_string().contains("end"));

    desk.edge(Edge::new(a, "_", Route::to(a).limit(1).or_end()));
    assert!(
        desk.dot()
            .to_string()
            .contains("\"end\" [shape=doublecircle];")
    );
}

#[test]
fn text_cannot_leave_its_quotes() {
    let quoted = |text| Quoted(text).to_string();
    assert_eq!(quoted("say \"hi\""), r#""say \"hi\"""#);
    assert_eq!(quoted(r"a\"), r#""a\\""#);
    assert_eq!(quoted("two\r\nlines"), r#""two\nlines""#);
    assert_eq!(quoted("zero\0"), r#""zero""#);
    assert_eq!(quoted("≤ ü"), "\"≤ ü\"");
}
