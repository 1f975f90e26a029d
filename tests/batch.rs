//! Many threads at once.
#![cfg(feature = "batch")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handoffs::batch::Batch;
use handoffs::prelude::*;
use handoffs::{CancellationToken, Memory, RunError, ThreadId};

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    question: String,
    notes: Log<String>,
}

#[derive(Outcome)]
enum Triaged {
    Easy,
    Hard,
}

#[derive(Default)]
struct Triage {
    at_work: AtomicUsize,
    most: AtomicUsize,
    visits: AtomicUsize,
}

#[node(Ticket)]
impl Triage {
    async fn run(&self, question: &str) -> Result<Triaged, String> {
        let at_work = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(at_work, Ordering::SeqCst);
        self.visits.fetch_add(1, Ordering::SeqCst);
        // The first question takes longest.
        let millis: u64 = question
            .trim_end_matches(char::is_alphabetic)
            .parse()
            .unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(100 - millis)).await;
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        match question {
            _ if question.ends_with("fail") => Err("no connection".to_owned()),
            _ if question.ends_with("hard") => Ok(Triaged::Hard),
            _ => Ok(Triaged::Easy),
        }
    }
}

#[node(Ticket)]
async fn answer(notes: &mut Log<String>) {
    notes.push("yes".to_owned());
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Desk {
    #[route(Triaged::Easy => answer, Triaged::Hard => human)]
    triage: Triage,
    #[route(_ => end)]
    answer: Answer,
    #[route(_ => end)]
    human: Human<Ask, Reply>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Ask(String);

impl From<&Ticket> for Ask {
    fn from(ticket: &Ticket) -> Self {
        Self(ticket.question.clone())
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Reply(String);

#[node(Ticket)]
impl Reply {
    fn run(&self, notes: &mut Log<String>) {
        notes.push(self.0.clone());
    }
}

fn desk() -> Desk {
    Desk {
        triage: Triage::default(),
        answer: Answer,
        human: Human::new(),
    }
}

fn tickets(many: usize) -> Vec<(String, Ticket)> {
    let ticket = |number: usize| {
        let question = match number % 10 {
            3 => format!("{number}hard"),
            7 => format!("{number}fail"),
            _ => format!("{number}easy"),
        };
        let notes = Log::new();
        (format!("t-{number:02}"), Ticket { question, notes })
    };
    (0..many).map(ticket).collect()
}

#[tokio::test(start_paused = true)]
async fn each_thread_comes_to_its_end_and_the_order_is_that_of_the_names() {
    let runtime = Runtime::new(desk()).journal(Memory::default());
    let batch = Batch::new(&runtime).at_once(4);
    let done = batch.run(tickets(20)).await.unwrap();
    let names: Vec<String> = done.threads().iter().map(ToString::to_string).collect();
    let expected: Vec<_> = tickets(20).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected);
    let text = done.to_string();
    assert!(
        text.starts_with("20 threads in ")
            && text.ends_with(": 16 finished, 2 wait for a person, 2 failed"),
        "{text}"
    );
    let failed: Vec<_> = done.failed().map(|(id, _)| id.as_str()).collect();
    assert_eq!(failed, ["t-07", "t-17"]);
    assert!(
        done.failed()
            .all(|(_, error)| matches!(error, RunError::Node { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_threads_are_under_way_than_wanted() {
    for at_once in [1, 5] {
        let graph = std::sync::Arc::new(Triage::default());
        let desk = Shared {
            triage: Counted(graph.clone()),
            answer: Answer,
        };
        let runtime = Runtime::new(desk).journal(Memory::default());
        Batch::new(&runtime)
            .at_once(at_once)
            .run(tickets(20))
            .await
            .unwrap();
        assert_eq!(graph.most.load(Ordering::SeqCst), at_once);
    }
}

struct Counted(std::sync::Arc<Triage>);

#[node(Ticket)]
impl Counted {
    async fn run(&self, question: &str) -> Result<(), String> {
        self.0.run(question).await.map(drop)
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = triage)]
struct Shared {
    #[route(_ => answer)]
    triage: Counted,
    #[route(_ => end)]
    answer: Answer,
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_goes_on_and_what_is_over_stays_as_it_is() {
    let disk = Memory::default();
    let drain = CancellationToken::new();
    let stopped = Runtime::new(desk())
        .journal(disk.clone())
        .drain_on(drain.clone());
    let batch = Batch::new(&stopped).at_once(100);
    let all = async { batch.run(tickets(10)).await.unwrap() };
    let stop = async {
        // Those that take less have come to `answer` and beyond by now.
        tokio::time::sleep(Duration::from_millis(95)).await;
        drain.cancel();
    };
    let (done, ()) = tokio::join!(all, stop);
    let drained = done
        .failed()
        .filter(|(_, error)| matches!(error, RunError::Drained { .. }));
    let drained: Vec<ThreadId> = drained.map(|(id, _)| id.clone()).collect();
    assert!(!drained.is_empty() && drained.len() < 9, "{done}");

    let runtime = Runtime::new(desk()).journal(disk);
    let batch = Batch::new(&runtime);
    let threads = runtime.threads().await.unwrap();
    let done = batch.recover(threads.clone()).await.unwrap();
    assert_eq!(done.threads(), drained);
    assert_eq!(done.failed().count(), 0);
    assert_eq!(batch.recover(threads).await.unwrap().runs.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_time_went_is_told_by_the_journal() {
    let runtime = Runtime::new(desk()).journal(Memory::default());
    let batch = Batch::new(&runtime);
    let done = batch.run(tickets(10)).await.unwrap();
    let times = batch.times(done.threads()).await.unwrap();
    let nodes = times.nodes();
    // The failed one concluded nothing, and one of the others waits for a person.
    assert_eq!((nodes[0].node.as_str(), nodes[0].visits), ("triage", 9));
    assert_eq!((nodes[1].node.as_str(), nodes[1].visits), ("answer", 8));
    assert!((nodes[0].share - 1.0).abs() < 1e-9);
    assert_eq!(nodes[0].p95, Duration::from_millis(100));
    assert!(nodes[0].p50 > Duration::from_millis(90) && nodes[0].p50 < nodes[0].p95);
}

#[tokio::test(start_paused = true)]
async fn decisions_of_many_threads_are_asked_again() {
    let disk = Memory::default();
    let runtime = Runtime::new(desk()).journal(disk.clone());
    let done = Batch::new(&runtime).run(tickets(5)).await.unwrap();
    let rerouted = Batch::new(&runtime).reroute(done.threads()).await.unwrap();
    assert_eq!(rerouted.len(), 5);
    assert!(
        rerouted
            .iter()
            .all(|(_, reroute)| reroute.as_ref().unwrap().is_same())
    );
    let unknown = Batch::new(&runtime)
        .reroute([ThreadId::new("nobody")])
        .await
        .unwrap();
    assert!(matches!(unknown[0].1, Err(RunError::UnknownThread { .. })));
}
