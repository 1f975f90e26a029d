//! Graphs of all shapes.

use std::time::Duration;

use handoffs_core::{Edge, NodeIndex, NodeKind, NodeShape, Route, Topology, Trail};

/// A graph of the gallery: a name, a sentence, and the graph.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) graph: Topology,
}

fn nodes<const N: usize>(graph: &mut Topology, names: [&'static str; N]) -> [NodeIndex; N] {
    let nodes = names.map(|name| graph.node(NodeShape::new(name)));
    graph.start(nodes[0]);
    nodes
}

fn chain() -> Topology {
    let mut graph = Topology::new("Chain");
    let [load, clean, store] = nodes(&mut graph, ["load", "clean", "store"]);
    graph.edge(Edge::new(load, "_", Route::to(clean)));
    graph.edge(Edge::new(clean, "Cleaned::Rows { .. }", Route::to(store)));
    graph.edge(Edge::new(clean, "Cleaned::Nothing", Route::end()));
    graph.edge(Edge::new(store, "_", Route::end()));
    graph
}

fn desk() -> Topology {
    let mut graph = Topology::new("SupportDesk");
    let triage = graph.node(NodeShape::new("triage").doc("Finds the right desk."));
    let billing = graph.node(NodeShape::new("billing").doc("Charges, invoices and refunds."));
    let access = graph.node(NodeShape::new("access").doc("Sign-in and account security."));
    let human = graph.node(
        NodeShape::new("human")
            .kind(NodeKind::Human)
            .doc("Somebody who can help."),
    );
    graph.start(triage);
    graph.edge(Edge::new(
        triage,
        "Triaged::Billing { .. }",
        Route::to(billing),
    ));
    graph.edge(Edge::new(triage, "Triaged::Access", Route::to(access)).guard("knows_account"));
    graph.edge(Edge::new(triage, "_", Route::to(human)));
    graph.edge(Edge::new(billing, "Billed::Done", Route::end()));
    let back = Route::to(triage).limit(2).or_else(human);
    graph.edge(Edge::new(billing, "Billed::WrongDesk", back));
    graph.edge(Edge::new(access, "_", Route::end()));
    graph.edge(Edge::new(human, "_", Route::end()));
    graph
}

fn self_loop() -> Topology {
    let mut graph = Topology::new("Poll");
    let [ask, wait] = nodes(&mut graph, ["ask", "wait"]);
    graph.edge(Edge::new(ask, "Asked::Later", Route::to(wait)));
    graph.edge(Edge::new(ask, "Asked::Now", Route::end()));
    graph.edge(
        Edge::new(wait, "Waited::More", Route::to(wait).limit(5).or_end()).guard("is_patient"),
    );
    graph.edge(Edge::new(wait, "_", Route::end()));
    graph
}

fn ring() -> Topology {
    let mut graph = Topology::new("Ring");
    let [plan, write, review, publish] = nodes(&mut graph, ["plan", "write", "review", "publish"]);
    graph.edge(Edge::new(plan, "_", Route::to(write)));
    graph.edge(Edge::new(write, "_", Route::to(review)));
    graph.edge(Edge::new(
        review,
        "Reviewed::Rewrite",
        Route::to(write).limit(3).or_else(publish),
    ));
    graph.edge(Edge::new(
        review,
        "Reviewed::Rethink",
        Route::to(plan).limit(1).or_else(publish),
    ));
    graph.edge(Edge::new(review, "Reviewed::Good", Route::to(publish)));
    graph.edge(Edge::new(
        publish,
        "Published::Rejected",
        Route::to(publish).limit(2).or_end(),
    ));
    graph.edge(Edge::new(publish, "_", Route::end()));
    graph
}

fn fork_all() -> Topology {
    let mut graph = Topology::new("Briefing");
    let [plan, web, papers, news, sum] =
        nodes(&mut graph, ["plan", "web", "papers", "news", "sum"]);
    graph.edge(Edge::new(
        plan,
        "Planned::Broad",
        Route::all([web, papers, news], sum).concurrency(2),
    ));
    graph.edge(Edge::new(plan, "Planned::Known", Route::to(sum)));
    for branch in [web, papers, news] {
        graph.edge(Edge::new(branch, "_", Route::to(sum)));
    }
    graph.edge(Edge::new(sum, "_", Route::end()));
    graph
}

fn each() -> Topology {
    let mut graph = Topology::new("Questions");
    let [list, research, check, answer] =
        nodes(&mut graph, ["list", "research", "check", "answer"]);
    let each = Route::each("questions", research, answer).concurrency(8);
    graph.edge(Edge::new(list, "_", each));
    graph.edge(Edge::new(research, "Found::Fact", Route::to(answer)));
    graph.edge(Edge::new(research, "Found::Rumour", Route::to(check)));
    graph.edge(Edge::new(
        check,
        "Checked::Wrong",
        Route::to(research).limit(2).or_else(answer),
    ));
    graph.edge(Edge::new(check, "_", Route::to(answer)));
    graph.edge(Edge::new(
        answer,
        "Answered::Thin",
        Route::to(list).limit(1).or_end(),
    ));
    graph.edge(Edge::new(answer, "_", Route::end()));
    graph
}

fn nested_forks() -> Topology {
    let mut graph = Topology::new("Newsroom");
    let [plan, report, photos, interview, archive, story, edit] = nodes(
        &mut graph,
        [
            "plan",
            "report",
            "photos",
            "interview",
            "archive",
            "story",
            "edit",
        ],
    );
    graph.edge(Edge::new(plan, "_", Route::all([report, photos], edit)));
    graph.edge(Edge::new(
        report,
        "_",
        Route::all([interview, archive], story),
    ));
    graph.edge(Edge::new(interview, "_", Route::to(story)));
    graph.edge(Edge::new(archive, "_", Route::to(story)));
    graph.edge(Edge::new(story, "_", Route::to(edit)));
    graph.edge(Edge::new(
        photos,
        "Shot::Blurred",
        Route::to(photos).limit(3).or_else(edit),
    ));
    graph.edge(Edge::new(photos, "_", Route::to(edit)));
    graph.edge(Edge::new(edit, "_", Route::end()));
    graph
}

fn subgraph_in_fork() -> Topology {
    let mut court = Topology::new("Court");
    let [weigh, settle] = nodes(&mut court, ["weigh", "settle"]);
    court.edge(Edge::new(
        weigh,
        "Weighed::Unclear",
        Route::to(weigh).limit(2).or_else(settle),
    ));
    court.edge(Edge::new(weigh, "_", Route::to(settle)));
    court.edge(Edge::new(settle, "_", Route::end()));
    let mut graph = Topology::new("Claims");
    let open = graph.node(NodeShape::new("open"));
    let court = graph.node(NodeShape::new("court").doc("Who is right?").inner(court));
    let appraise = graph.node(NodeShape::new("appraise"));
    let pay = graph.node(NodeShape::new("pay"));
    graph.start(open);
    graph.edge(Edge::new(
        open,
        "Opened::Contested",
        Route::all([court, appraise], pay),
    ));
    graph.edge(Edge::new(open, "_", Route::to(pay)));
    graph.edge(Edge::new(court, "Verdict::Yes", Route::to(pay)));
    graph.edge(Edge::new(court, "Verdict::No", Route::to(pay)));
    graph.edge(Edge::new(appraise, "_", Route::to(pay)));
    graph.edge(Edge::new(pay, "_", Route::end()));
    graph
}

fn errors() -> Topology {
    let mut graph = Topology::new("Import");
    let [fetch, parse, load, repair] = nodes(&mut graph, ["fetch", "parse", "load", "repair"]);
    graph.edge(Edge::new(fetch, "_", Route::to(parse)));
    graph.edge(Edge::on_error(fetch, Route::end()));
    graph.edge(Edge::new(parse, "_", Route::to(load)));
    graph.edge(Edge::back(parse, Route::to(fetch).limit(1).or_else(repair)));
    graph.edge(Edge::new(load, "_", Route::end()));
    graph.edge(Edge::on_error(
        load,
        Route::to(load).limit(2).or_else(repair),
    ));
    graph.edge(Edge::new(repair, "_", Route::end()));
    graph
}

fn human() -> Topology {
    let mut graph = Topology::new("Refunds");
    let assess = graph.node(NodeShape::new("assess"));
    let approve = graph.node(NodeShape::new("approve").kind(NodeKind::Human));
    let legal = graph.node(NodeShape::new("legal").kind(NodeKind::Graph));
    let pay = graph.node(NodeShape::new("pay_out"));
    graph.start(assess);
    graph.edge(Edge::new(assess, "Assessed::Small", Route::to(pay)).guard("is_covered"));
    graph.edge(Edge::new(
        assess,
        "Assessed::Fraud { .. }",
        Route::to(legal),
    ));
    graph.edge(Edge::new(assess, "_", Route::to(approve)));
    graph.edge(Edge::new(approve, "Approval::Yes", Route::to(pay)));
    graph.edge(Edge::new(
        approve,
        "Approval::Ask",
        Route::to(assess).limit(3).or_end(),
    ));
    graph.edge(Edge::new(approve, "Approval::No", Route::end()));
    graph.edge(Edge::new(legal, "_", Route::end()));
    graph.edge(Edge::on_error(pay, Route::to(approve).limit(1).or_end()));
    graph.edge(Edge::new(pay, "_", Route::end()));
    graph
}

/// Ten graphs, each of another shape.
pub(crate) fn examples() -> [Example; 10] {
    let example = |name, about, graph| Example { name, about, graph };
    [
        example("chain", "A chain, one end of which comes early.", chain()),
        example(
            "desk",
            "A loop with a limit and an `else`, and a guard.",
            desk(),
        ),
        example(
            "self_loop",
            "A node that hands over to itself.",
            self_loop(),
        ),
        example(
            "ring",
            "Two loops that share their nodes, and one beside them.",
            ring(),
        ),
        example(
            "fork_all",
            "A fork into three branches, two at a time, which can be passed by.",
            fork_all(),
        ),
        example(
            "each",
            "A branch an item, with a loop within and one around it.",
            each(),
        ),
        example(
            "nested_forks",
            "A fork within a branch of a fork.",
            nested_forks(),
        ),
        example(
            "subgraph_in_fork",
            "A graph as a node, in a branch.",
            subgraph_in_fork(),
        ),
        example(
            "errors",
            "What follows errors: the end, another attempt, whoever handed over.",
            errors(),
        ),
        example("human", "A person, and a graph of unknown shape.", human()),
    ]
}

/// A thread that went through the desk: back once, and to a person.
pub(crate) fn desk_trail(desk: &Topology) -> Trail {
    let mut trail = Trail::new();
    for (node, millis) in [
        ("triage", 420),
        ("billing", 1850),
        ("triage", 390),
        ("human", 7_380_000),
    ] {
        trail.visit(node, Duration::from_millis(millis));
    }
    let edges: Vec<_> = desk.edges().map(|(index, _)| index).collect();
    for edge in [0, 4, 2, 6] {
        trail.take("", edges[edge], false);
    }
    trail
}

/// A graph of two hundred nodes, with handoffs ahead and back.
pub(crate) fn large() -> Topology {
    let mut graph = Topology::new("Large");
    let nodes: Vec<_> = (0..200)
        .map(|place| graph.node(NodeShape::new(format!("node_{place}"))))
        .collect();
    graph.start(nodes[0]);
    for place in 1..nodes.len() {
        let parent = nodes[place / 3];
        graph.edge(Edge::new(
            parent,
            format!("On::N{place}"),
            Route::to(nodes[place]),
        ));
    }
    for place in (70..nodes.len()).step_by(3) {
        let back = nodes[place / 9];
        graph.edge(Edge::new(
            nodes[place],
            "Back",
            Route::to(back).limit(1).or_end(),
        ));
    }
    for node in &nodes[67..] {
        graph.edge(Edge::new(*node, "_", Route::end()));
    }
    graph
}
