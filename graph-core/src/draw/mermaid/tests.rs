use super::*;
use crate::route::Route;
use crate::topology::Edge;

#[test]
fn each_name_is_a_word_of_its_own() {
    let names = [
        "triage",
        "hand_back",
        "end",
        "a/b",
        "a b",
        "a_",
        "_a",
        "a__b",
        "a_Z2F_b",
        "ü",
        "",
        "x",
        "v",
    ];
    let mut words: Vec<_> = names.into_iter().map(word).collect();
    assert_eq!(words[..4], ["triage", "hand_back", "_Z65_nd", "a_Z2F_b"]);
    assert!(words.iter().all(|word| {
        let mut letters = word.chars();
        !word.is_empty() && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    }));
    words.sort();
    words.dedup();
    assert_eq!(words.len(), names.len());
}

#[test]
fn a_label_is_neither_html_nor_markdown_nor_the_end_of_itself() {
    let label = |text| Label(text).to_string();
    assert_eq!(label(r#"say "hi" <b>"#), "say #34;hi#34; #60;b#62;");
    assert_eq!(
        label("hand_back, __init__"),
        "hand_back, #95;#95;init#95;#95;"
    );
    assert_eq!(label("1. first\n- and"), "1#46; first<br/>#45; and");
    assert_eq!(label("Billed::Refund { .. }"), "Billed::Refund { .. }");
}

#[test]
fn nothing_leads_to_the_end_but_edges() {
    let mut desk = Topology::new("Desk");
    let a = desk.node(NodeShape::new("a"));
    let b = desk.node(NodeShape::new("b"));
    desk.start(a);
    desk.edge(Edge::new(a, "_", Route::to(b)));
    desk.edge(Edge::new(b, "_", Route::to(a).limit(2)));
    assert!(!desk.mermaid().to_string().contains("end"));
}
