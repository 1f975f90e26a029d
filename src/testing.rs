//! What tests need that an edge, being a pure function, does not.
//!
//! - [`TestContext`] is what a node that takes a [`Context`](crate::Context) is given in its unit test;
//! - [`assert_dot`] keeps the drawing of a graph in the repository up to date;
//! - [`journal_suite!`] proves that a [`Journal`](trait@crate::Journal) of your own keeps the promises
//!   that a run relies on: it writes one test a rule, of a [`JournalPlace`]; [`cache_suite!`] does so
//!   for a [`Cache`](trait@crate::Cache).

use std::path::Path;

pub use handoffs_runtime::{CachePlace, JournalPlace, TestContext};

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

use crate::AgentGraph;

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
/// Panics if the file differs from the graph or cannot be read, and says which lines differ.
pub fn assert_dot<G: AgentGraph>(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let drawn = G::topology().dot().to_string();
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
        "`{}` is not the drawing of `{}` any more; set {BLESS}=1 to redraw it\n{}",
        path.display(),
        G::NAME,
        differences(&kept, &drawn),
    );
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
}
