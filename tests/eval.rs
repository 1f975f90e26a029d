//! Evaluation: labelled cases against a node with its route, or the route alone.
#![cfg(feature = "eval")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handoffs::eval::{Case, Eval, EvalError, Report, read_csv, read_jsonl, read_states};
use handoffs::prelude::*;
use handoffs::{Execute, NodeError, Usage};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
struct Ticket {
    question: String,
    #[serde(alias = "sum")]
    amount: Option<u32>,
    #[serde(default)]
    notes: Log<String>,
}

fn ticket(question: &str) -> Ticket {
    Ticket {
        question: question.to_owned(),
        ..Ticket::default()
    }
}

#[derive(Outcome, Debug)]
enum Triaged {
    Billing,
    Cards { sure: u8 },
    Research,
}

/// Reads the question: a word for each thing that it can do.
#[derive(Default)]
struct Triage {
    at_work: AtomicUsize,
    most: AtomicUsize,
    attempts: AtomicUsize,
}

#[node(Ticket)]
impl Triage {
    async fn run(&self, question: &str, cx: &mut Context<'_>) -> Result<Triaged, String> {
        let at_work = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(at_work, Ordering::SeqCst);
        let attempts = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        let mut usage = Usage::calls(1);
        usage.input_tokens = 10;
        cx.used(usage);
        // The longer a question, the shorter it takes, so that the last case ends first.
        tokio::time::sleep(Duration::from_millis(100 - question.len() as u64)).await;
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        match question {
            _ if question.contains("fail") => Err("no connection".to_owned()),
            _ if question.contains("flaky") && attempts < 3 => Err("busy".to_owned()),
            _ if question.contains("panic") => panic!("at the disco"),
            _ if question.contains("hang") => std::future::pending().await,
            _ if question.contains("charged") => Ok(Triaged::Billing),
            _ if question.contains("why") => Ok(Triaged::Research),
            _ => Ok(Triaged::Cards { sure: 90 }),
        }
    }
}

#[derive(Outcome, Debug)]
enum Billed {
    Done,
    Refund { amount: u32 },
    WrongDesk,
}

#[node(Ticket)]
fn billing() -> Billed {
    unreachable!("its route is judged alone")
}

#[node(Ticket)]
fn work(notes: &mut Log<String>) {
    notes.push("done".to_owned());
}

fn is_small(ticket: &Ticket) -> bool {
    ticket.amount.is_some_and(|amount| amount < 100)
}

fn is_fast(error: &NodeError) -> bool {
    error.to_string().contains("returned") && !format!("{error:?}").contains("no connection")
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(
        Triaged::Billing => billing,
        Triaged::Cards { .. } => cards(limit = 1, else = human),
        Triaged::Research => all(web, papers) join summary,
    )]
    #[retry(times = 3, backoff = "1s", on = is_fast)]
    #[timeout("5s")]
    triage: Triage,
    #[route(
        Billed::Done => end,
        Billed::Refund { .. } if is_small => cards,
        Billed::Refund { .. } => human,
        Billed::WrongDesk => triage(limit = 1, else = human),
    )]
    billing: Billing,
    #[route(_ => end)]
    cards: Work,
    #[route(_ => summary)]
    web: Work,
    #[route(_ => summary)]
    papers: Work,
    #[route(_ => end)]
    summary: Work,
    #[route(_ => end)]
    human: Human<Sum, Said>,
}

#[derive(Serialize, Deserialize)]
struct Sum(Option<u32>);

impl From<&Ticket> for Sum {
    fn from(ticket: &Ticket) -> Self {
        Self(ticket.amount)
    }
}

#[derive(Serialize, Deserialize)]
struct Said(String);

#[node(Ticket)]
impl Said {
    fn run(&self, notes: &mut Log<String>) {
        notes.push(self.0.clone());
    }
}

fn desk() -> Desk {
    Desk {
        triage: Triage::default(),
        billing: Billing,
        cards: Work,
        web: Work,
        papers: Work,
        summary: Work,
        human: Human::new(),
    }
}

const FORK: &str = "all(web, papers) join summary";

/// Nine questions: five right, two taken for others, one at which the node fails, one at which it panics.
fn cases() -> Vec<Case<Ticket>> {
    let cases = [
        ("I was charged twice", "billing"),
        ("charged again", "billing"),
        ("a fee that I don't know", "billing"),
        ("where is my card", "cards"),
        ("is it lost", "cards"),
        ("you charged me for a card", "cards"),
        ("why", FORK),
        ("fail", "cards"),
        ("panic", "billing"),
    ];
    let case = |(text, expected)| Case::new(ticket(text), expected).named(text);
    cases.into_iter().map(case).collect()
}

async fn report(cases: Vec<Case<Ticket>>) -> Report {
    let desk = desk();
    let eval = Eval::new(&desk, "triage").unwrap();
    eval.run(cases).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_report_tells_who_was_taken_for_whom_and_what_failed() {
    let report = report(cases()).await;
    let expected = "\
Desk, node `triage`: 5 of 9 cases right, 55.6 % (95 % interval: 26.7 % to 81.1 %); the node failed on 2 cases

expected \\ got                 billing  cards  all(web, papers) join summary  failed
billing                              2      1                              ·       1
cards                                1      2                              ·       1
all(web, papers) join summary        ·      ·                              1       ·

target                         cases  precision   recall       F1
billing                            4     66.7 %   50.0 %   57.1 %
cards                              4     66.7 %   50.0 %   57.1 %
all(web, papers) join summary      1    100.0 %  100.0 %  100.0 %

billing taken for cards, 1 case
  case 3: a fee that I don't know

cards taken for billing, 1 case
  case 6: you charged me for a card

billing, where the node failed, 1 case
  case 9: panic
    the node panicked: at the disco

cards, where the node failed, 1 case
  case 8: fail
    the node returned an error: no connection

used: 9 calls, 90 tokens read, 0 written
";
    assert_eq!(report.to_string(), expected);
    assert_eq!((report.right(), report.failed()), (5, 2));
    assert_eq!(report.cases()[3].outcome.as_deref(), Some("Cards"));
    assert!(report.cases()[7].got.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_report_in_markdown_says_the_same() {
    let text = report(cases()).await.markdown().to_string();
    let expected = "\
**Desk, node `triage`**: 5 of 9 cases right, 55.6 % (95 % interval: 26.7 % to 81.1 %); the node failed on 2 cases

| expected \\\\ got | billing | cards | all(web, papers) join summary | failed |
|---|---:|---:|---:|---:|
| billing | 2 | 1 | · | 1 |
";
    assert!(text.starts_with(expected), "{text}");
    let listed = "\ncards, where the node failed, 1 case:\n\n- case 8: fail (the node returned an error: no connection)\n";
    assert!(text.contains(listed), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_report_does_not_depend_on_what_ends_first() {
    let desk = desk();
    let mut reports = Vec::new();
    for at_once in [1, 4, 100] {
        let eval = Eval::new(&desk, "triage").unwrap().at_once(at_once);
        reports.push(eval.run(cases()).await.unwrap().json());
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
}

#[tokio::test(start_paused = true)]
async fn no_more_cases_are_under_way_than_wanted() {
    for at_once in [1, 3] {
        let desk = desk();
        let eval = Eval::new(&desk, "triage").unwrap().at_once(at_once);
        let many = (0..20).map(|_| Case::new(ticket("where is it"), "cards"));
        assert_eq!(eval.run(many).await.unwrap().right(), 20);
        assert_eq!(desk.triage.most.load(Ordering::SeqCst), at_once);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_and_timeouts_are_those_of_the_graph() {
    let report = report(vec![
        Case::new(ticket("flaky, charged"), "billing"),
        Case::new(ticket("hang"), "billing"),
    ])
    .await;
    assert_eq!(report.cases()[0].got.as_deref(), Some("billing"));
    let error = report.cases()[1].error.as_deref();
    assert_eq!(error, Some("the node took longer than 5s"));
    // What failed attempts used was used as well.
    assert_eq!(report.usage().calls, 3);
    assert_eq!(report.times().nodes()[0].visits, 2);
}

#[tokio::test]
async fn a_node_that_asks_a_person_fails_and_waits_for_nobody() {
    let desk = desk();
    let eval = Eval::new(&desk, "human").unwrap();
    let report = eval.run([Case::new(ticket(""), "end")]).await.unwrap();
    let error = report.cases()[0].error.as_deref().unwrap();
    assert!(
        error.contains("there is neither an answer nor a journal"),
        "{error}"
    );
}

#[tokio::test]
async fn an_evaluation_can_be_a_task_of_its_own() {
    let task = tokio::spawn(async {
        let desk = desk();
        let eval = Eval::new(&desk, "cards").unwrap();
        let report = eval.run([Case::new(ticket(""), "end")]).await;
        report.unwrap().accuracy()
    });
    assert!((task.await.unwrap() - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_target_that_is_no_node_is_an_error_before_anything_runs() {
    let desk = desk();
    let eval = Eval::new(&desk, "triage").unwrap();
    let cases = [
        Case::new(ticket("where"), "cards"),
        Case::new(ticket("charged"), "biling"),
    ];
    let error = eval.run(cases).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "case 2: `Desk` has no node `biling`; did you mean `billing`? there are `triage`, `billing`, \
         `cards`, `web`, `papers`, `summary`, `human` and `end`"
    );
    assert_eq!(desk.triage.attempts.load(Ordering::SeqCst), 0);

    let error = eval.run([]).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no case to judge `triage` by");

    let error = Eval::new(&desk, "triaje").unwrap_err();
    assert_eq!(
        error.to_string(),
        "H001: no node is named `triaje`; did you mean `triage`?"
    );
}

#[tokio::test]
async fn a_target_to_which_no_edge_leads_is_noted() {
    let report = report(vec![Case::new(ticket("where"), "end")]).await;
    let text = report.to_string();
    assert!(
        text.contains("\nno edge of `triage` leads to `end`\n"),
        "{text}"
    );
    assert_eq!(report.unreachable(), ["end"]);
    // The `else` of an edge is a way, though nobody took it.
    assert_eq!(report.scores().len(), 2);
}

// ---- The route alone.

#[tokio::test]
async fn a_case_with_an_outcome_judges_the_route_and_runs_no_node() {
    let desk = desk();
    let eval = Eval::new(&desk, "billing").unwrap();
    let refund = |amount| Ticket {
        amount: Some(amount),
        ..Ticket::default()
    };
    let of = |state, expected: &str, outcome: &Billed| {
        Case::new(state, expected).concluding(outcome).unwrap()
    };
    let cases = [
        of(refund(12), "cards", &Billed::Refund { amount: 12 }),
        of(refund(1200), "human", &Billed::Refund { amount: 1200 }),
        of(ticket(""), "triage", &Billed::WrongDesk),
        of(ticket(""), "end", &Billed::Done),
        of(ticket(""), "human", &Billed::Done),
    ];
    let report = eval.run(cases).await.unwrap();
    assert_eq!(report.right(), 4, "{report}");
    assert!(report.times().nodes().is_empty());
    assert_eq!(report.unreachable(), Vec::<&str>::new());
}

// ---- Files.

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("cases");
        fs::write(&path, text).unwrap();
        path
    }
}

#[derive(Deserialize)]
struct Row {
    text: String,
    desk: String,
    amount: Option<u32>,
}

fn of_csv(text: impl AsRef<[u8]>) -> Result<Vec<Case<Ticket>>, EvalError> {
    let folder = Folder::new();
    read_csv(folder.file(text), |row: Row| {
        let state = Ticket {
            question: row.text.clone(),
            amount: row.amount,
            ..Ticket::default()
        };
        Case::new(state, row.desk).named(row.text)
    })
}

/// The error's text behind the name of the file.
fn told<T>(result: Result<T, EvalError>) -> String {
    let text = result.err().unwrap().to_string();
    let (_, text) = text.split_once("cases`, ").expect("it names the file");
    text.to_owned()
}

#[tokio::test(start_paused = true)]
async fn cases_of_a_csv_file_are_known_by_their_lines() {
    let cases = of_csv(
        "\u{feff}desk,text,amount\nbilling,\"charged,\ntwice\",12\ncards,where,\nend,fail,\n",
    );
    let report = report(cases.unwrap()).await;
    let lines: Vec<_> = report.cases().iter().map(|case| case.line).collect();
    assert_eq!(lines, [Some(2), Some(4), Some(5)]);
    assert_eq!(report.right(), 2);
    assert!(report.to_string().contains("  line 5: fail\n"), "{report}");
}

#[tokio::test]
async fn a_broken_csv_file_is_told_by_its_line() {
    assert_eq!(
        told(of_csv("text,desk\nfine,a\nHello, you,b\n")),
        "line 3: the first line has 2 columns and this one 3; text with a comma needs quotes"
    );
    assert_eq!(
        told(of_csv("question,desk,amount\nHello,a,\n")),
        "line 2: missing field `text`; the columns are `question`, `desk`, `amount`"
    );
    let many = told(of_csv(
        "text,desk,amount\n\"two\nlines\",a,\nHello,a,many\n",
    ));
    assert_eq!(
        many,
        "line 4: column `amount`: invalid digit found in string"
    );
    assert_eq!(
        told(of_csv(b"text,desk,amount\nfine,a,\n\xff\xfe,a,\n")),
        "line 3: the text is not UTF-8"
    );
    let missing = read_csv("no/such.csv", |row: Row| Case::new(ticket(&row.text), ""));
    let missing = missing.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the cases in `no/such.csv`"
    );
    assert!(std::error::Error::source(&missing).is_some());
}

#[tokio::test]
async fn a_case_that_the_users_function_refuses_is_told_by_its_line() {
    let folder = Folder::new();
    let path = folder.file("text,desk,amount\na,cards,\nb,mortgages,\n");
    let case = |row: Row| match row.desk.as_str() {
        "cards" => Ok(Case::new(ticket(&row.text), row.desk)),
        other => Err(format!("no desk for `{other}`")),
    };
    assert_eq!(
        told(read_csv(path, case)),
        "line 3: no desk for `mortgages`"
    );
}

#[tokio::test]
async fn an_unknown_target_is_told_by_its_line() {
    let cases = of_csv("text,desk,amount\r\na,cards,\r\n\r\nb,mortgages,\r\n").unwrap();
    let desk = desk();
    let error = Eval::new(&desk, "triage").unwrap().run(cases).await;
    let text = told(error);
    assert!(
        text.starts_with("line 4: `Desk` has no node `mortgages`; there are `triage`, "),
        "{text}"
    );
}

#[tokio::test]
async fn json_lines_are_rows_as_well_and_empty_lines_are_none() {
    let folder = Folder::new();
    let path = folder.file("{\"text\":\"a\",\"desk\":\"cards\"}\n\n{\"text\":\"b\",\"desk\":3}\n");
    let case = |row: Row| Case::new(ticket(&row.text), row.desk);
    assert_eq!(
        told(read_jsonl(&path, case)),
        "line 3: invalid type: integer `3`, expected a string, at column 20"
    );
    fs::write(&path, "{\"text\":\"a\",\"desk\":\"cards\"}\r\n").unwrap();
    assert_eq!(read_jsonl(&path, case).unwrap().len(), 1);
    fs::write(&path, b"{\"text\":\"\xff\"}").unwrap();
    assert_eq!(
        told(read_jsonl(&path, case)),
        "line 1: the text is not UTF-8"
    );
}

#[tokio::test]
async fn a_line_can_say_the_whole_state_and_what_was_concluded() {
    let folder = Folder::new();
    let path = folder.file(
        r#"{"state": {"question": "q", "sum": 12}, "outcome": {"variant": "Refund", "payload": {"amount": 12}}, "expected": "cards"}
{"state": {"question": "q", "notes": ["a", "b"]}, "outcome": "Done", "expected": "end", "name": "done"}
{"state": {"question": "q"}, "outcome": "Dnoe", "expected": "end"}
"#,
    );
    let desk = desk();
    let eval = Eval::new(&desk, "billing").unwrap();
    let report = eval.run(read_states(&path).unwrap()).await.unwrap();
    assert_eq!((report.right(), report.failed()), (2, 1), "{report}");
    assert_eq!(report.cases()[1].name, "done");
    let error = report.cases()[2].error.as_deref().unwrap();
    assert!(error.ends_with("the node has no outcome `Dnoe`"), "{error}");

    let wrong = |line: &str| {
        fs::write(&path, line).unwrap();
        told(read_states::<Ticket>(&path))
    };
    let line = r#"{"state": {"qestion": "q"}, "expected": "end"}"#;
    assert_eq!(
        wrong(line),
        "line 1: the state has no field `qestion`; it has question, amount, notes"
    );
    let line = r#"{"state": {}, "expected": "end"}"#;
    assert_eq!(wrong(line), "line 1: the state needs a field `question`");
    let line = r#"{"state": {"question": 1}, "expected": "end"}"#;
    assert_eq!(
        wrong(line),
        "line 1: field `question` of the state: invalid type: integer `1`, expected a string"
    );
    let line = r#"{"state": {}, "expect": "end"}"#;
    assert!(wrong(line).starts_with("line 1: unknown field `expect`, expected one of "));
}

// ---- Baselines.

fn of(cases: &[(&str, &str)]) -> Vec<Case<Ticket>> {
    let case = |(text, expected): &(&str, &str)| Case::new(ticket(text), *expected).named(*text);
    cases.iter().map(case).collect()
}

#[tokio::test(start_paused = true)]
async fn a_report_that_was_kept_is_the_same_report() {
    let folder = Folder::new();
    let path = folder.file("");
    let report = report(cases()).await;
    report.save(&path).unwrap();
    let kept = Report::load(&path).unwrap();
    assert_eq!(kept.to_string(), report.to_string());
    let comparison = report.against(&kept).unwrap();
    assert!(!comparison.is_worse());
    assert_eq!(
        (comparison.common, comparison.before, comparison.after),
        (9, 5, 5)
    );

    fs::write(&path, "{}").unwrap();
    let error = Report::load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "holds no report of an evaluation: missing field `format` at line 1 column 2"
        )
    );
    let of_another = report
        .json()
        .replace("\"node\": \"triage\"", "\"node\": \"billing\"");
    fs::write(&path, of_another).unwrap();
    let error = report.against(&Report::load(&path).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a report of `billing` cannot be compared with one of `triage`"
    );
    fs::write(
        &path,
        report.json().replace("\"format\": 1", "\"format\": 9"),
    )
    .unwrap();
    let error = Report::load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("it has format 9, and this is format 1"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_comparison_tells_case_by_case_what_got_better_and_what_worse() {
    // The labels stand in for the nodes: what was wrong before is right now, and the other way round.
    let before = report(of(&[
        ("charged", "cards"),
        ("where", "cards"),
        ("fail", "cards"),
        ("lost", "billing"),
        ("gone", "cards"),
        ("same", "cards"),
        ("same", "billing"),
    ]))
    .await;
    let after = report(of(&[
        ("new", "cards"),
        ("same", "cards"),
        ("same", "billing"),
        ("lost", "billing"),
        ("fail", "cards"),
        ("where", "billing"),
        ("charged", "billing"),
    ]))
    .await;
    let comparison = after.against(&before).unwrap();
    let expected = "\
compared with the baseline: 1 better, 1 worse, 0 wrong in another way: 2 to 2 of 6 common cases right; 1 new; 1 gone

target   cases  right before  right now  change
billing      4             1          1       ·
cards        2             1          1       ·

worse:
  cards -> cards, expected billing: case 6: where

better:
  billing -> billing, expected billing: case 7: charged
";
    assert_eq!(comparison.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_more_than_there_is_gets_the_tables() {
    let report = report(cases()).await;
    report.assert_accuracy(0.55);
    let panic = std::panic::catch_unwind(|| report.assert_accuracy(0.6)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.starts_with("`triage` leads 55.6 % of the cases where they should, and 60.0 % are the least:\n\nDesk, "),
        "{text}"
    );
}

// ---- A graph as a node.

#[derive(Outcome, Debug)]
enum Verdict {
    Yes,
    No,
}

#[derive(Outcome, Debug)]
enum Looked {
    Good,
    Bad,
}

#[node(Ticket)]
fn look(question: &str) -> Looked {
    if question.contains("good") {
        Looked::Good
    } else {
        Looked::Bad
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, outcome = Verdict, start = look)]
struct Inner {
    #[route(Looked::Good => second, Looked::Bad => end(Verdict::No))]
    look: Look,
    #[route(_ => end(Verdict::Yes))]
    second: Work,
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = inner)]
struct Outer<N: Execute<Ticket, Outcome = Verdict>> {
    #[route(Verdict::Yes => work, Verdict::No => end)]
    inner: N,
    #[route(_ => end)]
    work: Work,
}

#[tokio::test]
async fn a_graph_within_is_judged_as_the_node_that_it_is() {
    let inner = Inner {
        look: Look,
        second: Work,
    };
    let outer = Outer { inner, work: Work };
    let eval = Eval::new(&outer, "inner").unwrap();
    let cases = of(&[("good", "work"), ("bad", "end"), ("bad again", "work")]);
    let report = eval.run(cases).await.unwrap();
    assert_eq!(report.right(), 2, "{report}");
}
