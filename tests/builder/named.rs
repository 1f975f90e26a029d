//! Nodes whose outcomes and fields are names, and graphs within graphs.

use handoffs::prelude::*;
use handoffs::{
    BuiltGraph, DynContract, DynNode, DynOutcome, DynVariant, GraphBuilder, NodeError, Recorded,
    To, async_trait,
};
use serde::{Deserialize, Serialize};

use crate::common::lines;

#[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Page {
    words: Log<String>,
    title: Option<String>,
    numbers: Vec<u32>,
    secret: String,
}

/// A step of an editor: what it does is data.
struct Step {
    outcomes: Vec<DynVariant>,
    contract: DynContract,
    does: fn(&mut Page, &Context<'_>) -> Result<DynOutcome, NodeError>,
}

#[async_trait]
impl DynNode<Page> for Step {
    fn outcomes(&self) -> Vec<DynVariant> {
        self.outcomes.clone()
    }

    fn contract(&self) -> DynContract {
        self.contract.clone()
    }

    async fn run(&self, page: &mut Page, cx: &mut Context<'_>) -> Result<DynOutcome, NodeError> {
        (self.does)(page, cx)
    }
}

fn one(step: Step) -> BuiltGraph<Page> {
    let builder = GraphBuilder::new("One")
        .start("step")
        .dyn_node("step", step);
    builder.route("step", "_", To::end()).build().unwrap()
}

#[tokio::test]
async fn a_named_node_touches_only_what_it_names() {
    let graph = one(Step {
        outcomes: vec![DynVariant::new("Done")],
        contract: DynContract::new().writes(["words"]).gives(["title"]),
        does: |page, _| {
            assert_eq!(page.secret, "", "it does not see what it does not name");
            page.words.push("one".to_owned());
            page.title = Some("A page".to_owned());
            page.secret = "overwritten".to_owned();
            DynOutcome::new("Done").with(&3).map_err(NodeError::new)
        },
    });
    let runtime = Runtime::new(graph).journal(Memory::default());
    let thread = runtime.thread("t");
    let page = Page {
        secret: "kept".to_owned(),
        ..Page::default()
    };
    let Run::Finished(page) = thread.run(page).await.unwrap() else {
        panic!("it asks nobody");
    };
    assert_eq!(page.secret, "kept");
    assert_eq!(page.title.as_deref(), Some("A page"));
    let history = thread.history().await.unwrap();
    assert_eq!(lines(&history)[1], "step: _ => end");
    let Recorded::Stepped { outcome, .. } = &history[1].event else {
        panic!("{history:#?}");
    };
    let concluded = outcome.clone();
    assert_eq!(
        (&*concluded.variant, concluded.payload.unwrap().as_str()),
        ("Done", "3")
    );
}

#[tokio::test]
async fn what_was_set_before_may_be_promised() {
    let graph = one(Step {
        outcomes: vec![DynVariant::new("Done").gives(["title"])],
        contract: DynContract::new(),
        does: |_, _| Ok(DynOutcome::new("Done")),
    });
    let page = Page {
        title: Some("A page".to_owned()),
        ..Page::default()
    };
    let run = Runtime::new(graph).thread("t").run(page).await.unwrap();
    assert!(matches!(run, Run::Finished(page) if page.title.is_some()));
}

#[tokio::test]
async fn a_named_node_that_breaks_its_word_fails_and_leaves_no_trace() {
    let broken = [
        (
            Step {
                outcomes: vec![DynVariant::new("Done").gives(["title"])],
                contract: DynContract::new().writes(["words", "title"]),
                does: |page, _| {
                    page.words.push("lost".to_owned());
                    Ok(DynOutcome::new("Done"))
                },
            },
            "promised to set `title`",
        ),
        (
            Step {
                outcomes: vec![DynVariant::new("Done")],
                contract: DynContract::new().writes(["words"]),
                does: |page, _| {
                    page.words.push("lost".to_owned());
                    Ok(DynOutcome::new("Undone"))
                },
            },
            "it concluded `Undone`, which is none of its outcomes",
        ),
    ];
    for (step, message) in broken {
        let runtime = Runtime::new(one(step)).journal(Memory::default());
        let error = runtime.thread("t").run(Page::default()).await.unwrap_err();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        assert!(text.contains(message), "{text}");
        let history = runtime.thread("t").history().await.unwrap();
        assert!(!format!("{history:?}").contains("lost"));
    }
}

#[test]
fn what_a_named_node_names_must_be_there() {
    let builder = GraphBuilder::new("One").start("step").dyn_node(
        "step",
        Step {
            outcomes: vec![
                DynVariant::new("Done").gives(["titel"]),
                DynVariant::new("Done"),
            ],
            contract: DynContract::new().reads(["word"]),
            does: |_, _| Ok(DynOutcome::new("Done")),
        },
    );
    let errors = builder.route("step", "_", To::end()).build().unwrap_err();
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "H011: the contract of `step` names `word`, and the state has no such field",
            "H011: the outcome `Done` of `step` gives `titel`, and the state has no such field",
            "H011: two outcomes of `step` are named `Done`",
        ]
    );
    let nothing = GraphBuilder::<Page>::new("One").start("step").dyn_node(
        "step",
        Step {
            outcomes: Vec::new(),
            contract: DynContract::new(),
            does: |_, _| Ok(DynOutcome::new("Done")),
        },
    );
    let errors = nothing.route("step", "_", To::end()).build().unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("H011: `step` declares no outcome"),
        "{errors}"
    );
}

fn start(page: &Page) -> Page {
    Page {
        numbers: page.numbers.clone(),
        ..Page::default()
    }
}

#[node(Page)]
fn take_over(inner: Page, words: &mut Log<String>) {
    words.extend(inner.words.iter().cloned());
}

/// A step that writes its own name down.
fn note() -> Step {
    Step {
        outcomes: vec![DynVariant::new("Done")],
        contract: DynContract::new().writes(["words"]),
        does: |page, cx| {
            page.words.push(cx.node().to_owned());
            Ok(DynOutcome::new("Done"))
        },
    }
}

#[tokio::test]
async fn items_and_graphs_within() {
    let double = Step {
        outcomes: vec![DynVariant::new("Done")],
        contract: DynContract::new().writes(["words"]).takes_item(),
        does: |page, cx| {
            let number: u32 = cx.item()?;
            page.words.push((number * 2).to_string());
            Ok(DynOutcome::new("Done"))
        },
    };
    let numbers = GraphBuilder::new("Numbers")
        .start("begin")
        .dyn_node("begin", note())
        .dyn_node("double", double)
        .dyn_node("sum", note())
        .items("numbers", |page: &Page| page.numbers.clone())
        .route("begin", "_", To::each("numbers", "double", "sum"))
        .route("double", "_", To::node("sum"))
        .route("sum", "_", To::end())
        .build()
        .unwrap();
    let inner = || {
        let builder = GraphBuilder::new("Inner")
            .start("inside")
            .dyn_node("inside", note());
        builder.route("inside", "Done", To::end()).build().unwrap()
    };
    let graph = GraphBuilder::new("Outer")
        .start("same")
        .subgraph("same", inner())
        .subgraph_with("other", numbers, start, TakeOver)
        .route("same", "()", To::node("other"))
        .route("other", "_", To::end())
        .build()
        .unwrap();
    assert_eq!(graph.max_handoffs(), 3);
    let page = Page {
        numbers: vec![1, 2, 3],
        ..Page::default()
    };
    let runtime = Runtime::new(graph).journal(Memory::default());
    let Run::Finished(page) = runtime.thread("t").run(page).await.unwrap() else {
        panic!("it asks nobody");
    };
    let words: Vec<_> = page.words.iter().map(String::as_str).collect();
    assert_eq!(words, ["inside", "begin", "2", "4", "6", "sum"]);
}
