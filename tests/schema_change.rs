//! A graph changes while threads are under way: they go on under the new one, or are refused with the
//! one thing that stands against it, and left as they are.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::ignored_unit_patterns,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::trivially_copy_pass_by_ref,
    reason = "so routes, nodes and migrations are written"
)]

#[macro_use]
mod common;
#[path = "schema_change/desk.rs"]
mod desk;
#[path = "schema_change/fields.rs"]
mod fields;
#[path = "schema_change/lines.rs"]
mod lines;

use std::collections::BTreeSet;

use common::{Place, Stopping, chain, path};
use desk::{v1, v2, v3};
use handoffs::prelude::*;
use handoffs::{AskId, Entry, Journal, JsonError, Record, RunError, Runnable, Thread};

/// Returns what a journal keeps of a thread, byte for byte.
async fn bytes(place: &impl Place, thread: &str) -> Vec<Record> {
    place.open().await.read(&thread.into(), 0).await.unwrap()
}

/// Prices were in euros, and are in cents now.
fn in_cents(entry: &mut Entry) -> Result<(), JsonError> {
    if let Some(writes) = entry.writes_mut() {
        writes.change("price", |euros: f64| (euros * 100.0).round() as u64)?;
    }
    Ok(())
}

async fn old<P: Place>(place: &P, thread: &str) -> Thread<v1::SupportDesk, P::Journal> {
    Runtime::new(v1::DESK)
        .journal(place.open().await)
        .thread(thread)
}

async fn new<P: Place>(place: &P, thread: &str) -> Thread<v2::SupportDesk, P::Journal> {
    let runtime = Runtime::new(v2::DESK).journal(place.open().await);
    runtime.migrate(in_cents).thread(thread)
}

/// Last week's desk comes to a stop after so many entries, as its machine does.
async fn old_that_stops<P: Place>(place: &P, thread: &str, asks: &str, whole: u64) {
    let journal = Stopping::after(place.open().await, whole, false);
    let runtime = Runtime::new(v1::DESK).journal(journal);
    let stopped = runtime
        .thread(thread)
        .run(v1::Ticket::that_asks(asks))
        .await;
    stopped.unwrap_err();
}

fn said<'a>(said: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    said.into_iter().map(String::as_str).collect()
}

async fn a_paused_thread_of_last_week_is_answered_today(place: &impl Place) {
    let ticket = v1::Ticket::that_asks("a refund");
    let paused = old(place, "t").await.run(ticket).await.unwrap();
    let ask = paused.paused().unwrap();
    assert_eq!(ask.node, "charge", "in a graph within");

    let thread = new(place, "t").await;
    let before = thread.state().await.unwrap();
    assert_eq!(said(&before.transcript), ["a refund", "intake", "triage"]);
    assert_eq!(before.price, 1250, "in cents");
    assert_eq!((before.language, before.priority), (None, 3));
    let Status::Paused(open) = thread.status().await.unwrap() else {
        panic!("it is paused");
    };
    assert_eq!(
        (open.id, &*open.node),
        (ask.id, "refund"),
        "by its new name"
    );

    let done = thread
        .resume(ask.id, true)
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(
        said(&done.transcript),
        ["a refund", "intake", "triage", "find", "refunded", "answer"]
    );
    assert_eq!(done.price, 1350);
    let path = path(&thread.history().await.unwrap());
    let expected = [
        "intake", "triage", "look_up", "refund", "billing", "answer", "survey",
    ];
    assert_eq!(path, expected);
    thread.verify(None).await.unwrap();
}

async fn a_finished_thread_of_last_week_begins_another_run_today(place: &impl Place) {
    let ticket = v1::Ticket::that_asks("the time");
    let _ = old(place, "t")
        .await
        .run(ticket)
        .await
        .unwrap()
        .finished()
        .unwrap();
    let before = bytes(place, "t").await;

    let thread = new(place, "t").await;
    // Its end was the one edge that leads elsewhere now, so its state is not read by this graph; but
    // nothing is left to go on with.
    thread.state().await.unwrap_err();
    let ticket = v2::Ticket::that_asks("the time");
    let done = thread.run(ticket).await.unwrap().finished().unwrap();
    assert_eq!(
        said(&done.transcript),
        ["the time", "intake", "triage", "answer"]
    );
    assert_eq!(thread.state().await.unwrap(), done);
    assert_eq!(
        thread.recover().await.unwrap().finished(),
        Some(done.clone())
    );
    let ticket = v2::Ticket { price: 7, ..done };
    let again = thread.run(ticket).await.unwrap().finished().unwrap();
    assert_eq!(again.price, 7);
    assert!(bytes(place, "t").await.starts_with(&before));
    // And the old one finds its way no better.
    old(place, "t").await.state().await.unwrap_err();
}

async fn a_thread_that_was_cut_off_last_week_is_recovered_today(place: &impl Place) {
    for whole in 1..=3 {
        let id = format!("cut-{whole}");
        old_that_stops(place, &id, "the time", whole).await;
        let thread = new(place, &id).await;
        let done = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(
            said(&done.transcript),
            ["the time", "intake", "triage", "answer"]
        );
        assert_eq!(done.price, 1250);
        let path = path(&thread.history().await.unwrap());
        // What had been done by the old name is not done again by the new one.
        let first = if whole == 1 { "reception" } else { "intake" };
        assert_eq!(path, [first, "triage", "answer", "survey"]);
        assert_eq!(thread.state().await.unwrap(), done);
    }
}

async fn a_thread_that_was_cut_off_in_a_fork_does_the_rest_of_it(place: &impl Place) {
    for whole in 4..=6 {
        let id = format!("fork-{whole}");
        old_that_stops(place, &id, "a study", whole).await;
        let thread = new(place, &id).await;
        let done = thread.recover().await.unwrap().finished().unwrap();
        assert_eq!(
            said(&done.transcript),
            ["a study", "intake", "triage", "web", "papers", "answer"],
            "each once, and in their order"
        );
        assert_eq!(thread.state().await.unwrap(), done);
        let path = path(&thread.history().await.unwrap());
        assert_eq!(
            path.iter()
                .filter(|node| *node == "web" || *node == "net")
                .count(),
            1
        );
    }
}

async fn a_thread_of_three_versions_goes_on(place: &impl Place) {
    // The first version gets as far as its question, the second to one of its own, the third ends it.
    let ticket = v1::Ticket::that_asks("a refund, and more");
    let thread = old(place, "t").await;
    let ask = thread.run(ticket).await.unwrap().paused().unwrap();
    let first: BTreeSet<_> = graphs(&thread.history().await.unwrap()).collect();
    let thread = new(place, "t").await;
    let more = thread.resume(ask.id, true).await.unwrap().paused().unwrap();
    assert_eq!(more.node, "survey");

    let runtime = Runtime::new(v3::DESK).journal(place.open().await);
    // Where there are several versions, an entry says which one wrote it.
    let runtime = runtime.migrate(move |entry| {
        if first.contains(&entry.graph.to_string()) {
            in_cents(entry)?;
        }
        Ok::<_, JsonError>(())
    });
    let thread = runtime.thread("t");
    let done = thread.resume(more.id, 5).await.unwrap().finished().unwrap();
    assert_eq!((done.stars, done.price), (Some(5), 1350));
    assert_eq!(done.locale, "en", "as the default of the struct has it");
    assert_eq!(
        said(&done.transcript),
        [
            "a refund, and more",
            "intake",
            "triage",
            "find",
            "refunded",
            "answer"
        ]
    );
    assert_eq!(thread.state().await.unwrap(), done);
    let history = thread.history().await.unwrap();
    assert_eq!(
        graphs(&history).collect::<BTreeSet<_>>().len(),
        5,
        "two within the desk's own"
    );
    thread.verify(None).await.unwrap();
}

fn graphs(history: &[Entry]) -> impl Iterator<Item = String> {
    history.iter().map(|entry| entry.graph.to_string())
}

async fn without_the_migration_the_thread_is_refused_and_left_as_it_is(place: &impl Place) {
    let ticket = v1::Ticket::that_asks("a refund");
    let ask = old(place, "t")
        .await
        .run(ticket)
        .await
        .unwrap()
        .paused()
        .unwrap();
    let before = bytes(place, "t").await;
    let runtime = Runtime::new(v2::DESK).journal(place.open().await);
    let thread = runtime.thread("t");
    for error in [
        thread.resume(ask.id, true).await.map(drop).unwrap_err(),
        thread.recover().await.map(drop).unwrap_err(),
        thread.state().await.map(drop).unwrap_err(),
    ] {
        let text = chain(&error);
        assert!(
            text.contains("field `price`") && text.contains("`Runtime::migrate`"),
            "{text}"
        );
    }
    assert_eq!(bytes(place, "t").await, before);
    // The version that wrote it still finishes it.
    let done = old(place, "t").await.resume(ask.id, true).await.unwrap();
    assert!(done.finished().is_some());
}

async fn a_trimmed_thread_whose_entries_had_to_be_migrated_is_refused(place: &impl Place) {
    let ticket = v1::Ticket::that_asks("a refund");
    let thread = old(place, "t").await;
    let ask = thread.run(ticket).await.unwrap().paused().unwrap();
    thread.trim(1).await.unwrap();
    let before = bytes(place, "t").await;
    let error = new(place, "t")
        .await
        .resume(ask.id, true)
        .await
        .unwrap_err();
    let text = error.to_string();
    let part =
        "was trimmed, and what is left of it does not fit: `Runtime::migrate` does not see into it";
    assert!(
        matches!(error, RunError::OtherGraph { .. }) && text.contains(part),
        "{text}"
    );
    assert_eq!(bytes(place, "t").await, before);
    let done = thread.resume(ask.id, true).await.unwrap();
    assert!(done.finished().is_some());
}

/// Whatever is called says the same.
async fn refused<G: Runnable, J: Journal>(thread: Thread<G, J>, ask: AskId) -> Vec<String> {
    let errors = [
        thread.resume(ask, true).await.map(drop),
        thread.recover().await.map(drop),
        thread.status().await.map(drop),
    ];
    let texts = errors.map(|error| chain(&error.unwrap_err()));
    texts.to_vec()
}

async fn a_migration_that_fails_or_panics_is_an_error_that_names_the_entry(place: &impl Place) {
    let ticket = v1::Ticket::that_asks("a refund");
    let ask = old(place, "t")
        .await
        .run(ticket)
        .await
        .unwrap()
        .paused()
        .unwrap();
    let before = bytes(place, "t").await;
    let runtime = Runtime::new(v2::DESK).journal(place.open().await);
    let fails = runtime.clone().migrate(|entry| match entry.seq {
        2 => Err("the rate of that day is not known"),
        _ => Ok(()),
    });
    let graph = old(place, "t").await.history().await.unwrap()[0]
        .graph
        .clone();
    for text in refused(fails.thread("t"), ask.id).await {
        assert_eq!(
            text,
            format!(
                "entry 2 of thread `t`, of the graph `{graph}`, could not be migrated; mend the function \
                 that was given to `Runtime::migrate`: the rate of that day is not known"
            )
        );
    }
    let panics = runtime.migrate(|_| -> Result<(), String> { panic!("no such day") });
    for text in refused(panics.thread("t"), ask.id).await {
        assert!(text.ends_with(": no such day"), "{text}");
    }
    assert_eq!(bytes(place, "t").await, before);
}

async fn a_migration_sees_only_entries_of_other_graphs_and_can_change_only_what_happened(
    place: &impl Place,
) {
    let ticket = v1::Ticket::that_asks("a refund");
    let ask = old(place, "t")
        .await
        .run(ticket)
        .await
        .unwrap()
        .paused()
        .unwrap();
    let before = bytes(place, "t").await;
    let runtime = Runtime::new(v2::DESK).journal(place.open().await);
    let own = runtime.graph_id().clone();
    let runtime = runtime.migrate(move |entry| {
        assert_ne!(entry.graph, own);
        in_cents(entry)?;
        // None of this is for a migration to say.
        entry.seq += 1000;
        entry.branch = "7.7".parse().unwrap();
        entry.at_ms = 0;
        Ok::<_, JsonError>(())
    });
    let thread = runtime.thread("t");
    let done = thread
        .resume(ask.id, true)
        .await
        .unwrap()
        .finished()
        .unwrap();
    assert_eq!(thread.recover().await.unwrap().finished().unwrap(), done);
    assert!(bytes(place, "t").await.starts_with(&before));
}

use fields::{
    a_field_of_another_type_is_read_if_it_can_be_and_migrated_if_it_cannot,
    a_field_that_is_gone_is_named_and_one_that_was_renamed_is_found,
    a_run_begins_anew_over_one_that_failed_and_over_none_that_did_not,
    another_graph_is_refused_unless_it_says_that_it_was_called_so,
    fields_that_are_new_have_no_value_or_the_one_that_they_default_to,
};
use lines::{
    a_handoff_that_waits_for_approval_goes_where_it_leads_now,
    a_run_begins_anew_over_one_that_was_trimmed_and_is_over,
    a_thread_that_was_trimmed_goes_on_by_what_is_left_of_it,
    changes_that_the_path_contradicts_are_refused_and_named,
    changes_that_the_path_does_not_contradict_are_taken,
};

on_every_journal! {
    a_field_of_another_type_is_read_if_it_can_be_and_migrated_if_it_cannot
    a_field_that_is_gone_is_named_and_one_that_was_renamed_is_found
    a_run_begins_anew_over_one_that_failed_and_over_none_that_did_not
    another_graph_is_refused_unless_it_says_that_it_was_called_so
    fields_that_are_new_have_no_value_or_the_one_that_they_default_to
    changes_that_the_path_does_not_contradict_are_taken
    changes_that_the_path_contradicts_are_refused_and_named
    a_handoff_that_waits_for_approval_goes_where_it_leads_now
    a_run_begins_anew_over_one_that_was_trimmed_and_is_over
    a_thread_that_was_trimmed_goes_on_by_what_is_left_of_it
    a_trimmed_thread_whose_entries_had_to_be_migrated_is_refused
    a_paused_thread_of_last_week_is_answered_today
    a_finished_thread_of_last_week_begins_another_run_today
    a_thread_that_was_cut_off_last_week_is_recovered_today
    a_thread_that_was_cut_off_in_a_fork_does_the_rest_of_it
    a_thread_of_three_versions_goes_on
    without_the_migration_the_thread_is_refused_and_left_as_it_is
    a_migration_that_fails_or_panics_is_an_error_that_names_the_entry
    a_migration_sees_only_entries_of_other_graphs_and_can_change_only_what_happened
}
