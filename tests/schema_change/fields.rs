//! States that change, in one small graph each.

use handoffs::prelude::*;
use handoffs::{Difference, JsonError, NodeError, RunError, Runnable, Thread};

use super::bytes;
use super::common::{Place, chain};
use super::lines::plain;

/// A graph of one node that waits for an answer, over a state with these fields.
macro_rules! form {
    ($name:ident, $graph:literal, $(#[$struct:meta])* { $($(#[$field:meta])* $of:ident: $ty:ty,)* }) => {
        pub(crate) mod $name {
            use handoffs::prelude::*;
            use handoffs::{Execute, GraphBuilder, BuiltGraph, To};
            use serde::{Deserialize, Serialize};

            #[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            $(#[$struct])*
            pub(crate) struct Form {
                pub(crate) lines: Log<String>,
                $($(#[$field])* pub(crate) $of: $ty,)*
            }

            #[node(Form)]
            pub(crate) async fn wait(
                lines: &mut Log<String>,
                cx: &mut Context<'_>,
            ) -> Result<(), handoffs::NodeError> {
                lines.push(cx.ask("who", "Who?").await?);
                Ok(())
            }

            pub(crate) fn graph() -> BuiltGraph<Form> {
                named($graph, Wait)
            }

            pub(crate) fn named(name: &'static str, wait: impl Execute<Form>) -> BuiltGraph<Form> {
                GraphBuilder::new(name)
                    .node("wait", wait)
                    .start("wait")
                    .route("wait", "_", To::end())
                    .build()
                    .unwrap()
            }
        }
    };
}

form!(plain_form, "Form", { note: String, amount: u32, });
form!(without_note, "Form", { amount: u32, });
form!(with_alias, "Form", { #[serde(alias = "note", alias = "remark")] text: String, amount: u32, });
form!(retyped, "Form", { note: String, amount: String, });
form!(wider, "Form", { note: String, amount: i64, });
form!(optional, "Form", { amount: u32, due: Option<u32>, note: String, });
form!(required, "Form", { amount: u32, due: u32, note: String, });
form!(defaulted, "Form", { #[serde(default)] due: u32, amount: u32, #[serde(default = "super::none")] tags: Vec<String>, note: String, });
form!(all_defaulted, "Form", #[serde(default)] { due: u32, amount: u32, note: String, });
form!(other, "Other", { note: String, amount: u32, });

pub(crate) fn none() -> Vec<String> {
    vec!["none".to_owned()]
}

/// Begins a thread, which then waits for a name.
async fn begun(place: &impl Place) {
    let form = plain_form::Form {
        lines: Log::from(vec!["first".to_owned()]),
        note: "call back".to_owned(),
        amount: 12,
    };
    let runtime = Runtime::new(plain_form::graph()).journal(place.open().await);
    let _ = runtime
        .thread("t")
        .run(form)
        .await
        .unwrap()
        .paused()
        .unwrap();
}

async fn answered<P: Place, G: Runnable>(place: &P, graph: G) -> Result<G::State, RunError> {
    let runtime = Runtime::new(graph).journal(place.open().await);
    let thread: Thread<G, P::Journal> = runtime.thread("t");
    let before = bytes(place, "t").await;
    let run = thread.resume("2".parse().unwrap(), "Ada").await;
    if let Err(error) = &run {
        assert_eq!(
            thread.state().await.map(drop).unwrap_err().to_string(),
            error.to_string()
        );
        assert_eq!(bytes(place, "t").await, before, "nothing was written");
    }
    Ok(run?.finished().unwrap())
}

async fn refused<G: Runnable>(place: &impl Place, graph: G) -> String {
    let error = answered(place, graph).await.map(drop).unwrap_err();
    let text = plain(&error);
    let RunError::OtherGraph { seq, .. } = error else {
        panic!("{error:?}");
    };
    let begin = "thread `t` belongs to the graph `Form` and not to `Form`: entry ";
    let text = text.strip_prefix(begin).unwrap_or(&text);
    let text = text.strip_prefix(&format!("{seq} ")).unwrap_or(text);
    let end = "; or run it with the graph that wrote it, or begin another thread";
    text.strip_suffix(end).unwrap_or(text).to_owned()
}

pub(super) async fn fields_that_are_new_have_no_value_or_the_one_that_they_default_to(
    place: &impl Place,
) {
    begun(place).await;
    let text = refused(place, required::graph()).await;
    assert_eq!(
        text,
        "and those before it have no value for the field `due`; make it an `Option`, write \
         `#[serde(default)]` on it, or set it with `Runtime::migrate`"
    );
    // One after the other goes on with what the one before has written, up to the last step.
    let runtime = Runtime::new(optional::graph()).journal(place.open().await);
    let state = runtime.thread("t").state().await.unwrap();
    assert_eq!(
        (state.due, state.amount, &*state.note),
        (None, 12, "call back")
    );
    let runtime = Runtime::new(all_defaulted::graph()).journal(place.open().await);
    let state = runtime.thread("t").state().await.unwrap();
    assert_eq!((state.due, state.amount), (0, 12));
    let done = answered(place, defaulted::graph()).await.unwrap();
    assert_eq!((done.due, done.amount, &*done.note), (0, 12, "call back"));
    assert_eq!(done.tags, none());
    assert_eq!(done.lines.iter().collect::<Vec<_>>(), ["first", "Ada"]);
}

pub(super) async fn a_field_that_is_gone_is_named_and_one_that_was_renamed_is_found(
    place: &impl Place,
) {
    begun(place).await;
    let text = refused(place, without_note::graph()).await;
    assert_eq!(
        text,
        "writes the field `note`, which the state does not have; if it has another name now, write \
         `#[serde(alias = \"note\")]` on it, and if it is gone for good, remove it with `Runtime::migrate`"
    );
    let runtime = Runtime::new(without_note::graph()).journal(place.open().await);
    let runtime = runtime.migrate(|entry| {
        if let Some(writes) = entry.writes_mut() {
            writes.remove("note");
        }
        Ok::<_, JsonError>(())
    });
    assert_eq!(runtime.thread("t").state().await.unwrap().amount, 12);
    let done = answered(place, with_alias::graph()).await.unwrap();
    assert_eq!((&*done.text, done.amount), ("call back", 12));
}

pub(super) async fn a_field_of_another_type_is_read_if_it_can_be_and_migrated_if_it_cannot(
    place: &impl Place,
) {
    begun(place).await;
    let runtime = Runtime::new(wider::graph()).journal(place.open().await);
    assert_eq!(runtime.thread("t").state().await.unwrap().amount, 12);

    let runtime = Runtime::new(retyped::graph()).journal(place.open().await);
    let error = runtime.thread("t").recover().await.unwrap_err();
    assert!(
        matches!(
            error,
            RunError::Decode {
                field: "amount",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(chain(&error).contains("put old entries right with `Runtime::migrate`"));
    // A type alone makes another graph of it, or the function would never be asked.
    let runtime = runtime.migrate(|entry| {
        if let Some(writes) = entry.writes_mut() {
            writes.change("amount", |amount: u32| format!("{amount} apples"))?;
        }
        Ok::<_, JsonError>(())
    });
    let thread = runtime.thread("t");
    let done = thread.resume("2".parse().unwrap(), "Ada").await.unwrap();
    assert_eq!(done.finished().unwrap().amount, "12 apples");
    // Its own entries do not go through the function: that would fail.
    assert_eq!(thread.state().await.unwrap().amount, "12 apples");
}

pub(super) async fn another_graph_is_refused_unless_it_says_that_it_was_called_so(
    place: &impl Place,
) {
    begun(place).await;
    let error = answered(place, other::graph()).await.unwrap_err();
    assert_eq!(
        plain(&error),
        "thread `t` belongs to the graph `Form` and not to `Other`: entry 1 was written by the graph \
         `Form`; if that is what this one was called, write `#[graph(renamed_from = \"Form\")]`; or run it \
         with the graph that wrote it, or begin another thread"
    );
    let RunError::OtherGraph { difference, .. } = error else {
        panic!("{error:?}");
    };
    assert!(matches!(&*difference, Difference::Graph { name, .. } if &**name == "Form"));
    let renamed = || {
        handoffs::GraphBuilder::new("Other")
            .graph_renamed_from("Paper")
            .graph_renamed_from("Form")
            .node("pause", other::Wait)
            .renamed_from("pause", "wait")
            .start("pause")
            .route("pause", "_", handoffs::To::end())
    };
    let plain = handoffs::GraphBuilder::new("Other")
        .node("pause", other::Wait)
        .start("pause")
        .route("pause", "_", handoffs::To::end());
    let [own, without] = [renamed(), plain].map(|graph| Runtime::new(graph.build().unwrap()));
    assert_eq!(
        own.graph_id(),
        without.graph_id(),
        "what it was called is no part of what it is: it can be taken away again"
    );
    let done = answered(place, renamed().build().unwrap()).await.unwrap();
    assert_eq!(done.amount, 12);
}

/// A node that fails, and one that pauses, and one that is cut off.
#[node(plain_form::Form)]
fn fail(amount: &mut u32) -> Result<(), NodeError> {
    *amount += 1;
    Err(NodeError::new("no ink"))
}

pub(super) async fn a_run_begins_anew_over_one_that_failed_and_over_none_that_did_not(
    place: &impl Place,
) {
    let form = |amount| plain_form::Form {
        amount,
        ..plain_form::Form::default()
    };
    let runtime = Runtime::new(plain_form::named("Form", Fail)).journal(place.open().await);
    runtime.thread("t").run(form(1)).await.unwrap_err();
    let before = bytes(place, "t").await;

    // Whatever the graph is called, and whatever it has become.
    let runtime = Runtime::new(other::graph()).journal(place.open().await);
    let thread = runtime.thread("t");
    thread.recover().await.unwrap_err();
    thread.run_once(other::Form::default()).await.unwrap_err();
    let asked = thread
        .run(other::Form {
            amount: 7,
            ..other::Form::default()
        })
        .await
        .unwrap();
    let ask = asked.paused().unwrap();
    assert!(bytes(place, "t").await.starts_with(&before));

    // That one waits: nobody begins anything over it.
    let runtime = Runtime::new(plain_form::graph()).journal(place.open().await);
    runtime.thread("t").run(form(3)).await.unwrap_err();
    let done = thread
        .resume(ask.id, "Ada")
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!((done.amount, &*done.note), (7, ""));

    let again = runtime.thread("t").run(form(3)).await.unwrap();
    assert!(again.paused().is_some());
    assert_eq!(runtime.thread("t").state().await.unwrap().amount, 3);
    runtime.thread("t").verify(None).await.unwrap();
}
