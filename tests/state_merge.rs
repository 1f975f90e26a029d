//! States that fork and meet again, and outcomes that are read back.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use handoffs::prelude::*;
use handoffs::testing::TestContext;
use handoffs::{
    Counter, Execute, Field, FieldSet, FieldSource, FieldValue, Max, Merge, Min, Node, Payload,
    Worker,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value that counts its copies, in place of one that is large.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Large(u32);

thread_local! {
    static COPIES: Cell<usize> = const { Cell::new(0) };
}

impl Clone for Large {
    fn clone(&self) -> Self {
        COPIES.set(COPIES.get() + 1);
        Self(self.0)
    }
}

/// A type without a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Mood {
    Calm,
    Upset,
}

#[derive(State, Clone, Debug, PartialEq)]
struct Research {
    found: Log<String>,
    tags: BTreeSet<String>,
    votes: HashMap<String, u32>,
    sources: Counter,
    best: Max<f64>,
    least: Min<u32>,
    #[state(merge = join)]
    summary: String,
    #[state(progress, merge = longer)]
    notes: Vec<u32>,
    mood: Mood,
    large: Large,
    answer: Option<String>,
}

#[expect(clippy::ptr_arg, reason = "a merge takes the field's own type")]
fn join(merged: &mut String, base: &String, branch: &String) {
    merged.push_str(branch.strip_prefix(base.as_str()).unwrap_or(branch));
}

fn longer<T: Clone>(merged: &mut Vec<T>, _: &Vec<T>, branch: &Vec<T>) {
    if branch.len() > merged.len() {
        merged.clone_from(branch);
    }
}

fn research() -> Research {
    Research {
        found: Log::from(vec!["question".to_owned()]),
        tags: BTreeSet::from(["old".to_owned()]),
        votes: HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]),
        sources: Counter::new(10),
        best: Max::default(),
        least: Min::new(7),
        summary: "So: ".to_owned(),
        notes: vec![1],
        mood: Mood::Upset,
        large: Large(1),
        answer: Some("none".to_owned()),
    }
}

fn field(name: &str) -> usize {
    let place = Research::FIELDS.iter().position(|field| field.name == name);
    place.expect("a field of this name")
}

/// Reads fields from JSON texts.
struct Texts(BTreeMap<&'static str, &'static str>);

impl FieldSource for Texts {
    type Error = serde_json::Error;

    fn field<T: DeserializeOwned>(&mut self, field: &'static Field) -> serde_json::Result<T> {
        serde_json::from_str(self.0.get(field.name).copied().unwrap_or("null"))
    }
}

#[test]
fn fields_whose_type_or_function_can_merge_say_so() {
    let merges: Vec<_> = Research::FIELDS
        .iter()
        .filter(|field| field.merges)
        .map(|field| field.name)
        .collect();
    assert_eq!(
        merges,
        [
            "found", "tags", "votes", "sources", "best", "least", "summary", "notes"
        ]
    );
    assert!(Research::FIELDS[field("notes")].progress);
}

#[test]
fn a_branch_copies_what_it_touches_and_what_has_no_default() {
    let base = research();
    let before = COPIES.get();
    let fields = FieldSet::named(Research::FIELDS, &["found", "answer"]);
    let branch = base.branch(fields);
    assert_eq!(COPIES.get(), before, "the large field is not copied");
    assert_eq!((&branch.found, &branch.answer), (&base.found, &base.answer));
    assert!(branch.found.continues(&base.found));
    assert_eq!(branch.mood, Mood::Upset);
    assert_eq!((&branch.large, &*branch.summary), (&Large(0), ""));

    assert_eq!(base.branch(FieldSet::ALL), base);
    assert_eq!(COPIES.get(), before + 1);
}

#[test]
fn taking_moves_one_field_and_no_other() {
    let mut state = research();
    let mut from = research();
    from.mood = Mood::Calm;
    from.large = Large(9);
    let before = COPIES.get();
    state.take(field("large"), &mut from);
    state.take(99, &mut from);
    assert_eq!(COPIES.get(), before);
    assert_eq!((&state.large, &from.large), (&Large(9), &Large(1)));
    assert_eq!((&state.mood, &from.mood), (&Mood::Upset, &Mood::Calm));
}

#[test]
fn branches_are_merged_field_by_field_as_the_type_says() {
    let base = research();
    let mut left = base.clone();
    left.found.push("left".to_owned());
    left.tags.insert("left".to_owned());
    left.votes.insert("a".to_owned(), 2);
    left.sources += 2;
    left.best.see(0.5);
    left.least.see(9);
    left.summary.push_str("left. ");
    left.notes.push(2);
    let mut right = base.clone();
    right.found.push("right".to_owned());
    right.tags.clear();
    right.votes = HashMap::from([("a".to_owned(), 1), ("c".to_owned(), 3)]);
    right.sources -= 1;
    right.best.see(0.25);
    right.least.see(3);
    right.summary.push_str("right. ");
    right.mood = Mood::Calm;

    for (index, known) in Research::FIELDS.iter().enumerate() {
        assert_eq!(
            left.merge(index, &base, &right, true),
            known.merges,
            "{}",
            known.name
        );
    }
    assert!(!left.merge(99, &base, &right, true));
    assert_eq!(
        left.found,
        Log::from(["question", "left", "right"].map(str::to_owned).to_vec())
    );
    assert_eq!(left.tags, BTreeSet::from(["left".to_owned()]));
    assert_eq!(
        left.votes,
        HashMap::from([("a".to_owned(), 2), ("c".to_owned(), 3)])
    );
    assert_eq!(left.sources, 11);
    assert_eq!((left.best.get(), left.least.get()), (Some(&0.5), Some(&3)));
    assert_eq!(left.summary, "So: left. right. ");
    assert_eq!((left.notes, left.mood), (vec![1, 2], Mood::Upset));
}

#[test]
fn a_log_that_a_branch_wrote_anew_is_appended_as_a_whole() {
    let base = research();
    let mut merged = base.clone();
    merged.found.push("left".to_owned());
    let mut branch = base.clone();
    branch.found = Log::from(vec!["anew".to_owned()]);
    assert!(merged.merge(field("found"), &base, &branch, false));
    assert_eq!(
        merged.found,
        Log::from(["question", "left", "anew"].map(str::to_owned).to_vec())
    );
}

#[test]
fn one_field_is_loaded_and_a_log_is_continued() {
    let mut source = Texts(BTreeMap::from([
        ("found", r#"["new"]"#),
        ("large", "5"),
        ("mood", "[]"),
    ]));
    let mut state = research();
    let before = state.found.clone();
    state
        .load(field("found"), true, &mut source)
        .expect("a list");
    assert!(state.found.continues(&before));
    assert_eq!(
        state.found,
        Log::from(vec!["question".to_owned(), "new".to_owned()])
    );
    state
        .load(field("found"), false, &mut source)
        .expect("a list");
    assert_eq!(state.found, Log::from(vec!["new".to_owned()]));
    state
        .load(field("large"), true, &mut source)
        .expect("a number");
    assert_eq!(state.large, Large(5));
    state
        .load(field("mood"), false, &mut source)
        .expect_err("no mood");
    assert_eq!(state.mood, Mood::Upset);
    state.load(99, false, &mut source).expect("nothing to load");
}

/// A state of any type, of which only the bounds say whether it merges.
#[derive(State, Clone, Debug, Default)]
struct Generic<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static, M>
where
    M: Merge + Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
{
    plain: T,
    log: Log<T>,
    merging: M,
}

#[test]
fn the_bounds_of_a_generic_state_say_what_merges() {
    let merges: Vec<_> = Generic::<u32, Counter>::FIELDS
        .iter()
        .map(|field| field.merges)
        .collect();
    assert_eq!(merges, [false, true, true]);
    let branch = Generic::<u32, Counter> {
        plain: 3,
        ..Generic::default()
    };
    assert_eq!(
        branch.branch(FieldSet::EMPTY).plain,
        3,
        "that it has a default is not known"
    );
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Question {
    text: String,
}

#[node(Research)]
async fn look_up(question: Question, found: &mut Log<String>, mut summary: Replace<'_, String>) {
    found.push(question.text.clone());
    if summary.get().is_empty() {
        summary.set(question.text);
    }
}

#[node(Research)]
fn take_apart(Question { text }: Question, answer: &mut Option<String>) {
    *answer = Some(text);
}

#[test]
fn the_signature_says_what_is_replaced_and_what_the_item_is() {
    fn item_of<W: Worker<Research>>(_: W, item: W::Item) -> W::Item {
        item
    }

    let contract = <LookUp as Node<Research>>::CONTRACT;
    assert_eq!(
        contract.replaces,
        FieldSet::named(Research::FIELDS, &["summary"])
    );
    assert_eq!(
        contract.writes,
        FieldSet::named(Research::FIELDS, &["summary", "found"])
    );
    let taken_apart = <TakeApart as Node<Research>>::CONTRACT;
    assert!(contract.item && taken_apart.item);
    let question = Question {
        text: "why".to_owned(),
    };
    assert_eq!(item_of(LookUp, question.clone()), question);
    let mut answer = None;
    take_apart(question, &mut answer);
    assert_eq!(answer.as_deref(), Some("why"));
}

#[tokio::test]
async fn a_worker_is_an_ordinary_function() {
    let (mut found, mut summary) = (Log::new(), String::new());
    let question = Question {
        text: "why".to_owned(),
    };
    look_up(question, &mut found, Replace::new(&mut summary)).await;
    assert_eq!((found.len(), &*summary), (1, "why"));
}

#[tokio::test]
async fn a_worker_without_an_item_fails_and_leaves_the_state_alone() {
    let context = TestContext::new("look_up");
    let mut state = research();
    let mut cx = context.cx();
    let error = LookUp
        .execute(&mut state, &mut cx)
        .await
        .expect_err("no item");
    assert!(error.to_string().contains("no `each`"), "{error}");
    assert_eq!(state, research());
}

#[node(Research)]
fn settle(
    mut summary: Replace<'_, String>,
    mut answer: Replace<'_, Option<String>>,
    mut mood: Replace<'_, Mood>,
) {
    summary.set("settled".to_owned());
    *answer.get_mut() = None;
    mood.set(Mood::Upset);
}

#[tokio::test]
async fn what_is_replaced_enters_the_state() {
    let context = TestContext::new("settle");
    let mut state = research();
    Settle
        .execute(&mut state, &mut context.cx())
        .await
        .expect("it concludes");
    assert_eq!(
        (&*state.summary, state.answer, state.mood),
        ("settled", None, Mood::Upset)
    );
    let contract = <Settle as Node<Research>>::CONTRACT;
    assert_eq!(contract.replaces, contract.writes);
    assert!(contract.gives.is_empty() && contract.needs.is_empty());
}

#[derive(Outcome, Debug, PartialEq)]
enum Shapes<T: Serialize + DeserializeOwned + Send + Sync + 'static, U>
where
    U: Serialize + Send + Sync + 'static,
{
    Unit,
    Empty {},
    EmptyTuple(),
    Named {
        r#type: String,
        second: Option<T>,
        third: Vec<u8>,
    },
    One(T),
    Two(u32, Cow<'static, str>),
    Unknown(U),
}

type Known = Shapes<Question, u32>;

fn json(outcome: &Known) -> String {
    serde_json::to_string(&Payload(outcome)).expect("serialisable")
}

fn read(variant: usize, json: &str) -> serde_json::Result<Known> {
    Known::decode(variant, &mut serde_json::Deserializer::from_str(json))
}

#[test]
fn outcomes_of_all_shapes_are_read_back() {
    let question = || Question {
        text: "why".to_owned(),
    };
    let outcomes = [
        Known::Unit,
        Known::Empty {},
        Known::EmptyTuple(),
        Known::Named {
            r#type: "a".to_owned(),
            second: Some(question()),
            third: vec![1],
        },
        Known::Named {
            r#type: "a".to_owned(),
            second: None,
            third: vec![],
        },
        Known::One(question()),
        Known::Two(1, "b".into()),
    ];
    for outcome in outcomes {
        let json = json(&outcome);
        assert_eq!(read(outcome.variant(), &json).expect(&json), outcome);
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            Known::decode(outcome.variant(), value).expect(&json),
            outcome
        );
    }
    serde_json::from_str::<()>("null")
        .map(|()| <()>::decode(0, serde_json::Value::Null))
        .expect("a unit")
        .expect("a unit");
}

#[test]
fn what_is_no_payload_of_the_variant_is_refused() {
    let reason = |variant, json| read(variant, json).expect_err(json).to_string();
    assert!(reason(0, "1").contains("expected unit"));
    assert!(reason(3, r#"{"type":"a"}"#).contains("missing field `second`"));
    assert!(reason(3, "7").contains("expected the fields of the outcome `Named`"));
    assert!(reason(3, r#"{"type":7}"#).contains("expected a string"));
    assert!(reason(5, "[1]").contains("number 2 is missing"));
    assert!(reason(5, r#"[1,"a",3]"#).contains("trailing"));
    assert!(reason(6, "[1]").contains("cannot be read back"));
    assert!(reason(7, "null").contains("no outcome number 7"));
    let swapped = r#"{"third":[],"more":[{}],"second":null,"type":"a"}"#;
    assert!(
        read(3, swapped).is_ok(),
        "in any order, and with fields of another version"
    );
}

/// Carries what a program can write and not read.
#[derive(Outcome, Debug)]
enum Borrowed {
    Text(&'static str),
    Texts { all: Vec<&'static str> },
    Written(Written),
}

#[derive(Debug, Serialize)]
struct Written;

#[test]
fn what_cannot_be_deserialised_compiles_and_is_an_error_when_it_is_read() {
    for outcome in [
        Borrowed::Text("a"),
        Borrowed::Texts { all: vec!["a"] },
        Borrowed::Written(Written),
    ] {
        let json = serde_json::to_value(Payload(&outcome)).expect("serialisable");
        let error = Borrowed::decode(outcome.variant(), json)
            .expect_err("lost")
            .to_string();
        assert!(error.contains("cannot be read back"), "{error}");
    }
}

#[test]
fn a_field_is_written_as_it_is_loaded() {
    let state = research();
    for (index, known) in Research::FIELDS.iter().enumerate() {
        struct One(String);
        impl FieldSource for One {
            type Error = serde_json::Error;
            fn field<T: DeserializeOwned>(&mut self, _: &'static Field) -> serde_json::Result<T> {
                serde_json::from_str(&self.0)
            }
        }
        let json = serde_json::to_string(&FieldValue::new(&state, index)).expect("serialisable");
        let mut other = state.branch(FieldSet::EMPTY);
        other.load(index, false, &mut One(json)).expect(known.name);
        assert_eq!(
            other.fingerprint(index),
            state.fingerprint(index),
            "{}",
            known.name
        );
    }
}

#[derive(State, Clone, Debug, Default, PartialEq)]
struct Auction {
    #[state(merge = last)]
    offer: Option<u32>,
}

fn last<T: Clone>(merged: &mut T, _: &T, branch: &T) {
    merged.clone_from(branch);
}

#[node(Auction)]
fn open(mut offer: Out<'_, u32>) {
    offer.set(1);
}

#[node(Auction)]
fn raise(mut offer: Out<'_, u32>) {
    offer.set(5);
}

#[node(Auction)]
fn stay(mut offer: Out<'_, u32>) {
    offer.set(1);
}

#[node(Auction)]
fn close() {}

#[derive(AgentGraph)]
#[graph(state = Auction, start = open)]
struct Room {
    #[route(_ => all(raise, stay) join close)]
    open: Open,
    #[route(_ => close)]
    raise: Raise,
    #[route(_ => close)]
    stay: Stay,
    #[route(_ => end)]
    close: Close,
}

#[tokio::test]
async fn a_branch_that_sets_a_field_to_what_it_was_has_not_changed_it_with_a_journal_and_without() {
    let room = || Room {
        open: Open,
        raise: Raise,
        stay: Stay,
        close: Close,
    };
    let kept = Runtime::new(room()).journal(Memory::default());
    let kept = kept.thread("t").run(Auction::default()).await.unwrap();
    assert_eq!(kept.finished().unwrap().offer, Some(5));
    let bare = Runtime::new(room());
    let bare = bare.thread("t").run(Auction::default()).await.unwrap();
    assert_eq!(bare.finished().unwrap().offer, Some(5));
}
