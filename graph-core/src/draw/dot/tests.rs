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
