//! What the tests of nodes, edges and graphs need.
//!
//! - [`assert_route!`] tests an edge, which is a pure function, in the words of `#[route]`;
//! - [`ScriptedNode`] stands in for a node, and does what the test says;
//! - [`RunLog`] is what happened in a run, one line a turn, to compare and to ask for handoffs;
//! - [`Coverage`] counts the edges that the runs of a test program took, and denies those that none did;
//! - [`TestContext`] is what a node that takes a [`Context`](crate::Context) is given in its unit test;
//! - [`assert_dot`], [`assert_mermaid`] and [`assert_svg`] keep drawings of a graph in the repository up
//!   to date;
//! - [`journal_suite!`] proves that a [`Journal`](trait@crate::Journal) of your own keeps the promises
//!   that a run relies on: it writes one test a rule, of a [`JournalPlace`]; [`cache_suite!`] does so
//!   for a [`Cache`](trait@crate::Cache).
//!
//! A graph that is generic over the node that talks to the world is tested whole, with a script in that
//! node's place:
//!
//! ```
//! use handoffs::Execute;
//! use handoffs::prelude::*;
//! use handoffs::testing::{Coverage, RunLog, ScriptedNode, assert_route};
//!
//! #[derive(State, Clone, Debug, Default)]
//! struct Ticket {
//!     question: String,
//!     answer: Option<String>,
//! }
//!
//! #[derive(Outcome, Debug)]
//! enum Billed {
//!     #[outcome(gives(answer))]
//!     Done,
//!     WrongDesk,
//! }
//!
//! #[node(Ticket)]
//! async fn triage(question: &str) {}
//!
//! /// It asks a model.
//! #[node(Ticket)]
//! async fn billing(question: &str, answer: &mut Option<String>) -> Billed {
//!     unreachable!("no test talks to a model")
//! }
//!
//! #[node(Ticket)]
//! async fn human(answer: &mut Option<String>) {}
//!
//! #[derive(AgentGraph)]
//! #[graph(state = Ticket, start = triage)]
//! struct SupportDesk<B: Execute<Ticket, Outcome = Billed>> {
//!     #[route(_ => billing)]
//!     triage: Triage,
//!     #[route(Billed::Done => end, Billed::WrongDesk => triage(limit = 2, else = human))]
//!     billing: B,
//!     #[route(_ => end)]
//!     human: Human,
//! }
//!
//! static COVERAGE: Coverage = Coverage::of::<SupportDesk<Billing>>();
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // An edge, by itself.
//! assert_route!(
//!     SupportDesk::<Billing>::after_billing(&Ticket::default(), &Billed::WrongDesk)
//!         => triage(limit = 2, else = human)
//! );
//!
//! // The whole graph.
//! let billing = ScriptedNode::<Ticket, Billing>::new()
//!     .concludes(Billed::WrongDesk)
//!     .does(|ticket| {
//!         ticket.answer = Some("You are right.".to_owned());
//!         Billed::Done
//!     });
//! let desk = SupportDesk { triage: Triage, billing: billing.clone(), human: Human };
//! let thread = Runtime::new(desk).watch_loops(false).thread("t");
//!
//! let log = RunLog::of(thread.stream(Ticket::default())).await;
//! assert_eq!(
//!     log.lines(),
//!     [
//!         "triage: _ => billing",
//!         "billing: Billed::WrongDesk => triage",
//!         "triage: _ => billing",
//!         "billing: Billed::Done => end",
//!     ]
//! );
//! log.expect_handoff("billing").expect_handoff("triage");
//! log.never_hands_off_to("human");
//! assert_eq!(billing.visits(), 2);
//!
//! COVERAGE.add(&log);
//! assert_eq!(COVERAGE.untaken(), ["billing: Billed::WrongDesk => else human", "human: _ => end"]);
//! # }
//! ```

use std::path::Path;

/// Asserts that an edge leads where the test says, which says it in the words of `#[route]`.
///
/// ```
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { note: String }
/// # #[derive(Outcome, Debug)]
/// # enum Billed { Done, WrongDesk }
/// # #[node(Ticket)]
/// # async fn triage() {}
/// # #[node(Ticket)]
/// # async fn billing() -> Billed { Billed::Done }
/// # #[node(Ticket)]
/// # async fn human() {}
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct SupportDesk {
/// #     #[route(_ => billing)] triage: Triage,
/// #     #[route(Billed::Done => end, Billed::WrongDesk => triage(limit = 2, else = human))] billing: Billing,
/// #     #[route(_ => end)] human: Human,
/// # }
/// use handoffs::testing::assert_route;
///
/// let ticket = Ticket::default();
/// assert_route!(SupportDesk::after_billing(&ticket, &Billed::Done) => end);
/// assert_route!(SupportDesk::after_billing(&ticket, &Billed::WrongDesk) => triage(limit = 2, else = human));
/// ```
///
/// All of a route counts: its limit, its `else`, who approves it, the branches of a fork. It may also be
/// any expression that is a route, such as `desk.after("billing", "WrongDesk", &ticket)` of a graph that
/// was built at run time.
///
/// # Panics
///
/// Panics if the edge leads elsewhere:
///
/// ```text
/// `SupportDesk::after_billing` leads elsewhere
///   expected: triage(limit = 3, else = human)
///      taken: triage(limit = 2, else = human)
///      state: Ticket { note: "" }
///    outcome: WrongDesk
/// ```
///
/// The state and the outcome are there if they are `Debug`.
#[doc(inline)]
pub use handoffs_runtime::assert_route;
pub use handoffs_runtime::{
    CachePlace, Coverage, Decided, JournalPlace, RunLog, ScriptedNode, TestContext, Trial, Tried,
};

/// Writes the tests of a [`Journal`](trait@crate::Journal), one `#[test]` a rule.
///
/// It takes a name for the module of the tests, and an expression that makes a [`JournalPlace`] with
/// nothing in it, once a test. The file needs no other crate for it, and no attribute.
///
/// ```
/// use handoffs::testing::{JournalPlace, journal_suite};
/// # use handoffs::{JournalError, Memory, async_trait};
/// # #[derive(Debug)]
/// # struct Shelf(Memory);
/// # impl Shelf {
/// #     async fn open(path: &std::path::Path) -> Result<Self, JournalError> { Ok(Self(Memory::default())) }
/// # }
/// # #[async_trait]
/// # impl handoffs::Layer for Shelf {
/// #     type Within = Memory;
/// #     fn within(&self) -> &Memory { &self.0 }
/// # }
///
/// struct Folder(tempfile::TempDir);
///
/// impl JournalPlace for Folder {
///     type Journal = Shelf;
///
///     async fn open(&self) -> Shelf {
///         Shelf::open(&self.0.path().join("shelf")).await.expect("a shelf")
///     }
/// }
///
/// journal_suite!(shelf, Folder(tempfile::tempdir().expect("a folder")));
/// # fn main() {}
/// ```
///
/// `cargo test shelf` then runs `shelf::of_sixteen_appends_at_one_head_exactly_one_wins` and the
/// others. Each runs in a Tokio runtime of its own with one thread, which has the sockets and timers
/// that Tokio was compiled with, and calls the journal from several threads at once.
///
/// What a crash leaves is left to the store's own tests: only the store knows how to bring it about. A
/// second process is tested as far as a second handle of the same place stands for one.
#[doc(inline)]
pub use handoffs_runtime::journal_suite;

/// Writes the tests of a [`Cache`](trait@crate::Cache), one `#[test]` a rule.
///
/// It takes a name for the module of the tests, and an expression that makes a [`CachePlace`] with
/// nothing in it, once a test.
///
/// ```
/// use handoffs::MemoryCache;
/// use handoffs::testing::{CachePlace, cache_suite};
///
/// struct InMemory(std::sync::Arc<MemoryCache>);
///
/// impl CachePlace for InMemory {
///     type Cache = std::sync::Arc<MemoryCache>;
///
///     async fn open(&self) -> Self::Cache {
///         self.0.clone()
///     }
/// }
///
/// cache_suite!(in_memory, InMemory(Default::default()));
/// # fn main() {}
/// ```
#[doc(inline)]
pub use handoffs_runtime::cache_suite;

use crate::{AgentGraph, Topology};

/// The environment variable that, set to 1, lets a test rewrite what it compares with.
const BLESS: &str = "HANDOFFS_BLESS";

/// Asserts that the drawing of a graph in the repository is that of the graph in the code.
///
/// `path` is relative to the package that is tested. With `HANDOFFS_BLESS=1` in the environment, the
/// file is written instead.
///
/// ```no_run
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone)]
/// # struct Ticket { note: String }
/// # #[node(Ticket)]
/// # async fn triage() {}
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct SupportDesk { #[route(_ => end)] triage: Triage }
/// #[test]
/// fn the_drawing_is_up_to_date() {
///     handoffs::testing::assert_dot::<SupportDesk>("docs/support_desk.dot");
/// }
/// ```
///
/// # Panics
///
/// Panics if the file differs from the graph or cannot be read; says which lines differ and, if the
/// graph does and not its looks alone, in what.
pub fn assert_dot<G: AgentGraph>(path: impl AsRef<Path>) {
    let graph = G::topology();
    assert_drawing(path.as_ref(), G::NAME, &graph.dot().to_string(), |kept| {
        let kept = Topology::from_dot(kept).ok()?;
        let diff = kept.diff(&graph);
        (!diff.is_empty()).then(|| format!("{diff}\n"))
    });
}

/// Asserts the same of a drawing in Mermaid, such as GitHub renders.
///
/// The file is the diagram alone (`.mmd`), or Markdown with a block named `mermaid`, of which the first
/// is compared and rewritten.
///
/// ```no_run
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone)]
/// # struct Ticket { note: String }
/// # #[node(Ticket)]
/// # async fn triage() {}
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct SupportDesk { #[route(_ => end)] triage: Triage }
/// #[test]
/// fn the_picture_in_the_readme_is_up_to_date() {
///     handoffs::testing::assert_mermaid::<SupportDesk>("README.md");
/// }
/// ```
///
/// # Panics
///
/// Panics if the file differs from the graph, cannot be read, or is Markdown without such a block; says
/// which lines differ.
pub fn assert_mermaid<G: AgentGraph>(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let drawn = G::topology().mermaid().to_string();
    if path.extension().is_none_or(|end| end != "md") {
        assert_drawing(path, G::NAME, &drawn, |_| None);
        return;
    }
    let page = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("could not read `{}`: {error}", path.display()));
    let page = page.replace("\r\n", "\n");
    let Some((before, after)) = around_mermaid(&page) else {
        panic!("`{}` has no block named `mermaid`", path.display());
    };
    assert_drawing(path, G::NAME, &format!("{before}{drawn}{after}"), |_| None);
}

/// Asserts the same of a drawing as SVG.
///
/// ```no_run
/// # use handoffs::prelude::*;
/// # #[derive(State, Clone)]
/// # struct Ticket { note: String }
/// # #[node(Ticket)]
/// # async fn triage() {}
/// # #[derive(AgentGraph)]
/// # #[graph(state = Ticket, start = triage)]
/// # struct SupportDesk { #[route(_ => end)] triage: Triage }
/// #[test]
/// fn the_picture_is_up_to_date() {
///     handoffs::testing::assert_svg::<SupportDesk>("docs/support_desk.svg");
/// }
/// ```
///
/// # Panics
///
/// Panics if the file differs from the graph or cannot be read; says which lines differ.
pub fn assert_svg<G: AgentGraph>(path: impl AsRef<Path>) {
    let drawn = G::topology().svg().to_string();
    assert_drawing(path.as_ref(), G::NAME, &drawn, |_| None);
}

/// Compares a file with what it should be, or writes it; `explain` says more about what was kept.
fn assert_drawing(
    path: &Path,
    graph: &str,
    drawn: &str,
    explain: impl FnOnce(&str) -> Option<String>,
) {
    if std::env::var_os(BLESS).is_some_and(|bless| bless == "1") {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .unwrap_or_else(|error| panic!("could not create `{}`: {error}", folder.display()));
        }
        std::fs::write(path, drawn)
            .unwrap_or_else(|error| panic!("could not write `{}`: {error}", path.display()));
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!(
            "could not read `{}`: {error}; set {BLESS}=1 to draw it",
            path.display()
        )
    });
    // A checkout may have turned the ends of the lines.
    let kept = kept.replace("\r\n", "\n");
    assert!(
        kept == drawn,
        "`{}` is not the drawing of `{graph}` any more; set {BLESS}=1 to redraw it\n{}{}",
        path.display(),
        explain(&kept).unwrap_or_default(),
        differences(&kept, drawn),
    );
}

/// Returns what stands before and behind the diagram in the first block named `mermaid`.
fn around_mermaid(page: &str) -> Option<(&str, &str)> {
    const BEGIN: &str = "```mermaid\n";
    let begin = if page.starts_with(BEGIN) {
        BEGIN.len()
    } else {
        page.find(&format!("\n{BEGIN}"))? + 1 + BEGIN.len()
    };
    let (before, rest) = page.split_at(begin);
    let end = if rest.starts_with("```") {
        0
    } else {
        rest.find("\n```")? + 1
    };
    Some((before, &rest[end..]))
}

/// Lists the lines that only one of two drawings has; each line of a drawing stands for itself.
fn differences(kept: &str, drawn: &str) -> String {
    let gone = kept
        .lines()
        .filter(|line| !drawn.lines().any(|other| other == *line));
    let new = drawn
        .lines()
        .filter(|line| !kept.lines().any(|other| other == *line));
    let lines = gone
        .map(|line| ["-", line])
        .chain(new.map(|line| ["+", line]));
    lines.flat_map(|[mark, line]| [mark, line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        assert_eq!(differences("a\nb\nc\n", "a\nB\nc\nd\n"), "-b\n+B\n+d\n");
    }

    #[test]
    fn a_diagram_is_found_between_its_fences() {
        let page = "# Desk\n\n```mermaid\nflowchart TD\n```\n\nMore.\n";
        let found = ("# Desk\n\n```mermaid\n", "```\n\nMore.\n");
        assert_eq!(around_mermaid(page), Some(found));
        assert_eq!(
            around_mermaid("```mermaid\n```\n"),
            Some(("```mermaid\n", "```\n"))
        );
        assert_eq!(around_mermaid("```mermaid\n"), None);
        assert_eq!(around_mermaid("# Desk\n"), None);
    }
}
