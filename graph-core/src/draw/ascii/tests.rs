use super::*;
use crate::route::Route;
use crate::topology::{Edge, NodeShape};

#[test]
fn rails_lead_up_side_by_side() {
    let mut desk = Topology::new("Desk");
    let [a, b, c] = ["a", "b", "c"].map(|name| desk.node(NodeShape::new(name)));
    desk.start(a);
    desk.edge(Edge::new(a, "_", Route::to(b)));
    desk.edge(Edge::new(b, "No", Route::to(a).limit(2).or_else(c)));
    desk.edge(Edge::new(b, "_", Route::to(c)));
    desk.edge(Edge::new(c, "Again", Route::to(b).limit(1)));
    desk.edge(Edge::new(c, "All", Route::to(a).limit(1)));
    desk.edge(Edge::new(c, "_", Route::end()));
    let drawing = desk.ascii().to_string();
    assert_eq!(
        drawing,
        "Desk: at most 14 handoffs

     ● start
╭──▶ a
│    └──▶ b
│
│ ╭▶ b
├┄┼┄ ├─ No, ≤ 2 ┄▶ a ↑
│ │  │  else ┄┄┄┄▶ c
│ │  └───────────▶ c
│ │
│ │  c
│ ╰┄ ├─ Again, ≤ 1 ┄▶ b ↑
╰┄┄┄ ├─ All, ≤ 1 ┄┄┄▶ a ↑
     └──────────────▶ end

⟲ a, b, c: at most 4 laps
",
        "{drawing}"
    );
}
