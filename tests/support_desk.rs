//! The support desk as its users meet it: the program, its output, its journal, and `kill -9`.
#![cfg(feature = "sqlite")]

#[path = "common/example.rs"]
mod example;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use handoffs::Durability;
use handoffs::prelude::*;
use handoffs::{Hash, Journal, Record, ThreadId};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The example's program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| example::program("support_desk"))
}

/// An empty folder with a desk at work in it.
struct Office(TempDir);

impl Office {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.0.path());
        command
    }

    /// Runs the program, and returns what it printed.
    fn prints(&self, args: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(args)
            .output()
            .expect("the program can be started");
        let errors = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{args:?}: {status}\n{errors}");
        String::from_utf8(stdout).expect("it prints text")
    }

    /// Runs the program, which is to fail, and returns its exit code and its complaint.
    fn fails(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(args)
            .output()
            .expect("the program can be started");
        assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
        let complaint = String::from_utf8(stderr).expect("it complains in text");
        assert!(!complaint.contains("panicked"), "{complaint}");
        (status.code(), complaint)
    }

    /// How many bytes the journal takes.
    fn size(&self) -> u64 {
        let files = ["support_desk.db", "support_desk.db-wal"];
        let sizes = files.map(|name| fs::metadata(self.path(name)).map_or(0, |file| file.len()));
        sizes.iter().sum()
    }

    /// The journal, with an empty one in its place if there is none.
    async fn journal(&self) -> Sqlite {
        Sqlite::open(self.path("support_desk.db"))
            .await
            .expect("a journal")
    }

    /// What the journal holds, thread by thread, without times and what follows from them.
    async fn histories(&self) -> BTreeMap<String, Vec<Value>> {
        let journal = self.journal().await;
        let mut histories = BTreeMap::new();
        for thread in journal
            .threads()
            .await
            .expect("the journal lists its threads")
        {
            let records = journal
                .read(&thread, 0)
                .await
                .expect("a thread can be read");
            histories.insert(thread.to_string(), records.iter().map(timeless).collect());
        }
        histories
    }
}

fn timeless(record: &Record) -> Value {
    let mut entry: Value = serde_json::from_slice(&record.body).expect("an entry is JSON");
    let fields = entry.as_object_mut().expect("an entry is an object");
    for of_the_moment in ["at_ms", "prev"] {
        fields.remove(of_the_moment).expect("each entry has it");
    }
    for what in ["stepped", "attempted", "caught", "failed"] {
        if let Some(happened) = entry["event"][what].as_object_mut() {
            happened.remove("took_ms");
        }
    }
    entry
}

/// A table without its last line, the wall time.
fn without_wall(table: &str) -> &str {
    let (table, wall) = table
        .trim_end()
        .rsplit_once('\n')
        .expect("a table has lines");
    assert!(wall.starts_with("wall time"), "{wall}");
    table
}

/// Questions as customers put them: for every desk, for a person, and two at the end that the first
/// desk hands back; of these, the second desk takes the one, and hands the other back as well.
fn questions() -> String {
    const ASKED: [&str; 20] = [
        "my card was charged twice",
        "Where is the card that I ordered?",
        "the machine swallowed my card",
        "My PIN is blocked, what now?",
        "Can I use Apple Pay?",
        "I think somebody else is using my card, please help",
        "my transfer has not arrived yet",
        "please cancel the transfer I made this morning",
        "Why was my top-up reverted?",
        "how long does a transfer from Europe take",
        "my balance is the same after I paid in a cheque",
        "there is a fee on my statement that I don't know",
        "I want a refund for something I bought",
        "the exchange rate for my card payment is wrong",
        "the cash machine gave me less than I asked for",
        "I forgot my passcode",
        "why do you need my identity verified?",
        "please close my account",
        "Can you also transfer by SWIFT?",
        "How do I use my money in a different country?",
    ];
    let mut csv = "text\n".to_owned();
    for lap in ["", "Hello. ", "One more thing: "] {
        for question in ASKED {
            let _ = writeln!(csv, "\"{lap}{question}\"");
        }
    }
    csv
}

#[test]
fn one_question_is_told_with_path_answer_and_journal() {
    let office = Office::new();
    let page = office.prints(&["my card was charged twice", "--thread", "t"]);
    let expected = "\
identify   done
           _ => triage
triage     Charges { because: \"twice, charged twice, charged\", sure: 100 }
           Triaged::Charges { .. } => charges
charges    Refund { amount: \"£70.56\", charge: \"C-11878\" }
           Charged::Refund { .. } if is_small => payout
payout     done
           _ => end

Hugo, charge C-11878 should not have been made. £70.56 is back in the account, which holds £571.55.

journal  support_desk.db, thread t
";
    assert_eq!(page, expected);
    assert!(office.path("support_desk.db").is_file());
}

#[test]
fn a_question_that_no_desk_wants_is_stopped_from_going_round() {
    let office = Office::new();
    let page = office.prints(&["How do I use my money in a different country?"]);
    let stopped = "\
hand_back  done
           _ => triage(limit = 1, else = human)
           on to human, as its limit is used up
human      asks, and waits
";
    assert!(page.contains(stopped), "{page}");
}

#[test]
fn a_thread_of_its_own_for_each_question_unless_it_is_named() {
    let office = Office::new();
    let first = office.prints(&["where is my card"]);
    let second = office.prints(&["where is my card"]);
    assert_ne!(first.lines().last(), second.lines().last());

    office.prints(&["where is my card", "--thread", "t", "--journal", "other.db"]);
    let again = office.prints(&["can I have two?", "--thread", "t", "--journal", "other.db"]);
    assert!(again.ends_with("journal  other.db, thread t\n"), "{again}");
    let told = office.prints(&["history", "t", "--journal", "other.db"]);
    assert_eq!(told.matches("the run began").count(), 2, "{told}");
}

#[test]
fn a_person_answers_later_and_only_once() {
    let office = Office::new();
    let page = office.prints(&["please close my account", "--thread", "t"]);
    assert!(page.contains("human      asks, and waits\n"), "{page}");
    let inbox = office.prints(&["inbox"]);
    assert!(
        inbox.starts_with("t\n  please close my account\n  access: "),
        "{inbox}"
    );
    let (code, complaint) = office.fails(&["and another thing", "--thread", "t"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("thread `t` waits for the answer"),
        "{complaint}"
    );

    let page = office.prints(&["answer", "t", "It is closed. Farewell!"]);
    assert!(page.ends_with("\nIt is closed. Farewell!\n"), "{page}");
    assert_eq!(office.prints(&["inbox"]), "Nobody waits for an answer.\n");
    let told = office.prints(&["history", "t"]);
    for part in [
        "graph SupportDesk#",
        "\n   1  the run began\n      customer = \"customer-42\"\n",
        "\n   3  triage concluded Access { ",
        "\n      Served::NeedsPerson => human\n",
        "\n   5  human asked, as question 5\n",
        "\n   6  question 5 was answered\n      \"It is closed. Farewell!\"\n",
        "\n   7  human concluded done\n      _ => end\n      messages + ",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }

    let (code, complaint) = office.fails(&["answer", "t", "No, wait"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        complaint,
        "error: question 5 of thread `t` is not open: it was answered before; \
         `status` tells which one is, if any\n"
    );
    assert_eq!(office.prints(&["history", "t"]), told);
}

/// Runs the program until it ends by itself. Each life before is killed when the journal has grown,
/// by nothing at first and then by `step` bytes more each time. Returns how many threads there were
/// at each death.
async fn kill_until_done(office: &Office, args: &[&str], step: u64) -> Vec<usize> {
    let mut deaths = Vec::new();
    loop {
        let enough = office.size() + step * deaths.len() as u64;
        let mut life = office
            .command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        loop {
            if let Some(status) = life.try_wait().expect("a child can be asked") {
                assert!(status.success(), "{status} after {} deaths", deaths.len());
                return deaths;
            }
            if office.size() > enough {
                break;
            }
            std::thread::yield_now();
        }
        // On Unix, this is SIGKILL.
        life.kill().expect("a child can be killed");
        life.wait().expect("a killed child ends");
        deaths.push(office.histories().await.len());
    }
}

/// Checks that a file, asked by a program that is killed again and again, comes to the same table
/// and the same journal as without. Returns the table.
async fn check_kills(file: &str, questions: usize, step: u64) -> String {
    let undisturbed = Office::new();
    let table = undisturbed.prints(&["--file", file]);
    let histories = undisturbed.histories().await;
    assert_eq!(histories.len(), questions);

    let killed = Office::new();
    let deaths = kill_until_done(&killed, &["--file", file], step).await;
    assert!(
        deaths
            .iter()
            .any(|threads| (1..questions).contains(threads)),
        "no kill hit a run that was under way: {deaths:?}"
    );
    let again = killed.prints(&["--file", file]);
    assert_eq!(
        without_wall(&again),
        without_wall(&table),
        "threads at each death: {deaths:?}"
    );
    assert!(
        killed.histories().await == histories,
        "threads at each death: {deaths:?}"
    );
    table
}

#[tokio::test]
async fn a_killed_run_goes_on_and_ends_like_one_that_was_not() {
    let office = Office::new();
    let file = office.path("asked.csv");
    fs::write(&file, questions()).expect("the file can be written");
    let table = check_kills(&file.to_string_lossy(), 60, 6_000).await;
    for (name, least) in [
        ("handoffs", 130),
        ("loops stopped", 1),
        ("asked a human", 9),
    ] {
        let line = table
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a line");
        let number: usize = line[name.len()..].trim().parse().expect("a number");
        assert!(number >= least, "{line}");
    }
}

#[tokio::test]
async fn all_questions_of_the_data_set_killed_and_not() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/banking77/dev.csv");
    if !file.is_file() {
        eprintln!("skipped: {} is absent", file.display());
        return;
    }
    let table = check_kills(&file.to_string_lossy(), 1_540, 500_000).await;
    for line in ["all            1,540  100.0 %", "loops stopped      1"] {
        assert!(table.contains(line), "{table}");
    }
}

#[test]
fn an_answer_in_between_changes_no_number() {
    let office = Office::new();
    fs::write(
        office.path("asked.csv"),
        "text\nplease close my account\nwhere is my card\n",
    )
    .expect("the file can be written");
    let before = office.prints(&["--file", "asked.csv"]);
    office.prints(&["answer", "asked-0001", "It is closed."]);
    let after = office.prints(&["--file", "asked.csv"]);
    assert_eq!(without_wall(&after), without_wall(&before));
}

/// The thread of the second question is there before the file is asked, with a customer that nobody
/// knows: each time it is asked, its first node fails.
#[test]
fn a_question_that_fails_keeps_no_other_from_its_answer() {
    let office = Office::new();
    let file = "text\nwhere is my card\nI forgot my passcode\nplease close my account\n";
    fs::write(office.path("asked.csv"), file).expect("the file can be written");
    for (question, thread) in [
        ("I forgot my passcode", "asked-0002"),
        ("please close my account", "asked-0003"),
    ] {
        office.fails(&[question, "--customer", " ", "--thread", thread]);
    }
    let ask_all = || {
        let asked = office.command(&["--file", "asked.csv"]).output();
        let asked = asked.expect("the program can be started");
        assert_eq!(asked.status.code(), Some(1));
        let [table, errors] = [asked.stdout, asked.stderr]
            .map(|text| String::from_utf8(text).expect("it prints text"));
        (without_wall(&table).to_owned(), errors)
    };
    let (table, errors) = ask_all();
    let rows = "\
cards              1   33.3 %
transfers          0    0.0 %
charges            0    0.0 %
access             0    0.0 %
human              0    0.0 %
failed             2   66.7 %
─────────────────────────────
all                3  100.0 %
";
    assert!(table.contains(rows), "{table}");
    let of = |thread| {
        format!(
            "error: node `identify` of thread `{thread}` failed; the thread stands before it, and \
             `recover` tries it again\n  because: a customer's id must not be blank\n"
        )
    };
    assert_eq!(errors, of("asked-0002") + &of("asked-0003"));
    // Nothing of it depends on which call came first.
    assert_eq!(ask_all(), (table, errors));
}

#[test]
fn a_file_stops_where_the_journal_is_damaged() {
    let office = Office::new();
    let file = "text\nwhere is my card\nI forgot my passcode\n";
    fs::write(office.path("asked.csv"), file).expect("the file can be written");
    office.prints(&["--file", "asked.csv"]);
    let journal = rusqlite::Connection::open(office.path("support_desk.db")).expect("a database");
    let forged =
        "UPDATE entry SET body = CAST('{}' AS BLOB) WHERE thread = 'asked-0002' AND seq = 2";
    assert_eq!(journal.execute(forged, []), Ok(1));
    drop(journal);
    let (code, complaint) = office.fails(&["--file", "asked.csv"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("record 2 of thread `asked-0002` is damaged"),
        "{complaint}"
    );
}

#[test]
fn a_thread_that_is_not_there() {
    let office = Office::new();
    for args in [&["history", "t"][..], &["answer", "t", "yes"], &["inbox"]] {
        let (code, complaint) = office.fails(args);
        assert_eq!(code, Some(1));
        assert!(
            complaint.starts_with("error: there is no journal `support_desk.db`"),
            "{complaint}"
        );
        assert!(!office.path("support_desk.db").exists());
    }
    office.prints(&["where is my card"]);
    for args in [&["history", "t"][..], &["answer", "t", "yes"]] {
        let complaint = "error: no thread in `support_desk.db` is named `t`\n".to_owned();
        assert_eq!(office.fails(args), (Some(1), complaint));
    }
}

#[test]
fn a_customer_that_nobody_knows() {
    let office = Office::new();
    let (code, complaint) = office.fails(&["where is my card", "--customer", "", "--thread", "t"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.starts_with("error: node `identify` of thread `t` failed"),
        "{complaint}"
    );
    assert!(complaint.contains("\n  because: "), "{complaint}");
    assert!(
        office
            .prints(&["history", "t"])
            .contains("\n   2  identify failed: ")
    );
    // The same question is the same run, and another one has to wait.
    let again = office.fails(&["where is my card", "--thread", "t"]);
    assert_eq!(again, (code, complaint));
    let told = office.prints(&["history", "t"]);
    assert_eq!(told.matches("the run began").count(), 1, "{told}");
    assert_eq!(told.matches("identify failed").count(), 2, "{told}");
    let another = office.fails(&["I forgot my passcode", "--thread", "t"]);
    assert_eq!(
        another,
        (Some(1), unanswered("where is my card", "identify"))
    );
    assert_eq!(office.prints(&["history", "t"]), told);
}

/// How another question is refused in a thread `t` that has not come further than `node`.
fn unanswered(question: &str, node: &str) -> String {
    format!(
        "error: thread `t` has a question before this one, and its run came only as far as `{node}`; \
         ask `{question}` again to go on with it, or take another thread\n"
    )
}

#[test]
fn the_same_question_again_is_the_same_run() {
    let office = Office::new();
    for question in ["my card was charged twice", "please close my account"] {
        let first = office.prints(&[question, "--thread", question]);
        let told = office.prints(&["history", question]);
        assert_eq!(office.prints(&[question, "--thread", question]), first);
        assert_eq!(office.prints(&["history", question]), told);
    }
}

/// A payment may have been made by a step that failed or was cut off before it was written. No desk of
/// the example fails there by itself, so the journal is written by hand from that of a whole run.
#[tokio::test]
async fn a_payment_is_tried_again_under_the_same_key() {
    const ASKED: &str = "my card was charged twice";
    let whole = Office::new();
    whole.prints(&[ASKED, "--thread", "t"]);
    let booked = |told: &str| -> Vec<String> {
        let keys = told.split("booked under ").skip(1);
        keys.map(|key| key.chars().take_while(|letter| *letter != '"').collect())
            .collect()
    };
    let keys = booked(&whole.prints(&["history", "t"]));
    assert_eq!(keys.len(), 1, "{keys:?}");

    for failed in [true, false] {
        let office = Office::new();
        before_payout(&whole, &office, failed).await;
        let left = office.prints(&["history", "t"]);
        assert_eq!(left.contains("payout failed: the ledger"), failed, "{left}");
        assert!(booked(&left).is_empty(), "{left}");

        let another = office.fails(&["where is my card", "--thread", "t"]);
        assert_eq!(another, (Some(1), unanswered(ASKED, "payout")));
        assert_eq!(office.prints(&["history", "t"]), left);

        office.prints(&[ASKED, "--thread", "t"]);
        let told = office.prints(&["history", "t"]);
        assert!(told.starts_with(&left), "{told}");
        assert_eq!(told.matches("the run began").count(), 1, "{told}");
        assert_eq!(booked(&told), keys);

        // Now the conversation can go on.
        office.prints(&["where is my card", "--thread", "t"]);
        let on = office.prints(&["history", "t"]);
        assert!(on.starts_with(&told), "{on}");
        assert_eq!(on.matches("the run began").count(), 2, "{on}");
    }
}

/// Copies what the thread `t` of one office went through before its payout into another; with an
/// entry, if `failed`, that says that the payout failed.
async fn before_payout(from: &Office, to: &Office, failed: bool) {
    let thread = ThreadId::new("t");
    let journal = from.journal().await;
    let mut records = journal.read(&thread, 0).await.expect("it can be read");
    records.pop();
    if failed {
        let last = records.last().expect("there is a step before the payout");
        let mut entry: Value = serde_json::from_slice(&last.body).expect("an entry is JSON");
        entry["seq"] = json!(last.seq + 1);
        entry["prev"] = json!(last.hash);
        entry["event"] = json!({"failed": {"node": "payout", "error": "the ledger is closed"}});
        let body = serde_json::to_vec(&entry).expect("JSON is written");
        records.push(Record::new(last.seq + 1, Hash::of(&body), body));
    }
    let journal = to.journal().await;
    let appended = journal.append(&thread, 0, records, Durability::Sync).await;
    appended.expect("an empty journal takes records");
}

#[test]
fn a_file_of_questions_that_is_not_there_or_not_good() {
    let office = Office::new();
    let (code, complaint) = office.fails(&["--file", "asked.csv"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.starts_with("error: cannot open the questions in `asked.csv`\n  because: "),
        "{complaint}"
    );
    fs::write(office.path("asked.csv"), "question\nhello\n").expect("the file can be written");
    let (code, complaint) = office.fails(&["--file", "asked.csv"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("`asked.csv` has no column `text`"),
        "{complaint}"
    );
}

#[test]
fn another_file_of_the_same_name() {
    let office = Office::new();
    fs::write(office.path("asked.csv"), "text\nwhere is my card\n").expect("it can be written");
    office.prints(&["--file", "asked.csv"]);
    fs::write(office.path("asked.csv"), "text\nI forgot my passcode\n").expect("it can be written");
    let (code, complaint) = office.fails(&["--file", "asked.csv"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("thread `asked-0001` was begun with another question"),
        "{complaint}"
    );
}

#[test]
fn a_journal_that_is_none() {
    let office = Office::new();
    fs::write(
        office.path("garbage.db"),
        "This is no database. ".repeat(500),
    )
    .expect("written");
    let foreign = rusqlite::Connection::open(office.path("foreign.db")).expect("a database");
    foreign
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .expect("a table");
    drop(foreign);
    fs::create_dir(office.path("folder.db")).expect("a folder");
    for journal in ["garbage.db", "foreign.db", "folder.db", "no/such/folder.db"] {
        let before = fs::read(office.path(journal)).ok();
        let (code, complaint) = office.fails(&["where is my card", "--journal", journal]);
        assert_eq!(code, Some(1), "{complaint}");
        assert!(complaint.contains(journal), "{complaint}");
        assert_eq!(
            fs::read(office.path(journal)).ok(),
            before,
            "{journal} was left alone"
        );
    }
}

#[test]
fn a_journal_that_was_changed_behind_its_back() {
    let office = Office::new();
    office.prints(&["where is my card", "--thread", "t"]);
    office.prints(&["where is my card", "--thread", "other"]);
    let file = rusqlite::Connection::open(office.path("support_desk.db")).expect("a database");
    let forged =
        "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'identify', 'identity') AS BLOB)
        WHERE thread = 't' AND seq = 2";
    assert_eq!(file.execute(forged, []), Ok(1));
    drop(file);
    let (code, complaint) = office.fails(&["history", "t"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("record 2 of thread `t` is damaged"),
        "{complaint}"
    );
    assert!(
        office
            .prints(&["history", "other"])
            .contains("identify concluded done")
    );
}

#[tokio::test]
async fn a_journal_that_another_graph_wrote() {
    #[derive(State, Clone, Debug, Default)]
    struct Empty {}

    #[node(Empty)]
    fn only() {}

    #[derive(AgentGraph)]
    #[graph(state = Empty, start = only)]
    struct Another {
        #[route(() => end)]
        only: Only,
    }

    let office = Office::new();
    let journal = office.journal().await;
    let runtime = Runtime::new(Another { only: Only }).journal(journal);
    let _ = runtime.thread("t").run(Empty {}).await.expect("it runs");
    drop(runtime);

    for args in [
        &["where is my card", "--thread", "t"][..],
        &["answer", "t", "yes"],
    ] {
        let (code, complaint) = office.fails(args);
        assert_eq!(code, Some(1));
        assert!(
            complaint.starts_with("error: thread `t` belongs to the graph `Another#"),
            "{complaint}"
        );
    }
    // What is there can be read, whoever wrote it.
    assert!(
        office
            .prints(&["history", "t"])
            .contains("only concluded done")
    );
}

#[test]
fn a_wrong_call_is_told_how_to_call() {
    let (code, complaint) = Office::new().fails(&["my", "card"]);
    assert_eq!(code, Some(2));
    assert!(
        complaint.starts_with("error: `my …` is no command"),
        "{complaint}"
    );
    assert!(complaint.contains("usage: support_desk"), "{complaint}");
}

#[test]
fn the_drawing_is_printed() {
    // That it is up to date is a test of the example itself.
    let drawn = Office::new().prints(&["dot"]);
    assert!(drawn.starts_with("digraph \"SupportDesk\" {\n"), "{drawn}");
}
