//! What every cache has to do, as tests: one a rule, so that a report names the rule that is broken.

mod rule;

use std::time::Duration;

use tokio::runtime::Builder;

use super::Cache;

/// A place where a cache is kept while its rules are tested: a folder, a schema of a database.
///
/// Each rule is given a place of its own, with nothing in it, and drops it at the end; so the place's
/// `Drop` cleans up. A rule may open its place several times, to see what a restart leaves.
///
/// ```
/// use handoffs_runtime::{CachePlace, MemoryCache};
///
/// #[derive(Default)]
/// struct Place(MemoryCache);
///
/// impl CachePlace for Place {
///     type Cache = MemoryCache;
///
///     async fn open(&self) -> MemoryCache {
///         self.0.clone()
///     }
/// }
/// ```
pub trait CachePlace {
    /// The cache that is tested.
    type Cache: Cache;

    /// Opens the cache with all that was put to this place before. May panic if it cannot.
    ///
    /// An implementation can be written as an `async fn`.
    fn open(&self) -> impl Future<Output = Self::Cache>;

    /// Lets time pass for the cache: a second or so. A cache that has the time from a clock of the
    /// test's need not wait for it.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(time)
    }
}

/// Makes of each rule a function and a test of `cache_suite!`. A rule that is missing in the one
/// list below is dead code.
macro_rules! rules {
    // What is written `$d` is a `$` of the macro that is made.
    ($d:tt $($rule:ident,)+) => {
        $(
            #[allow(missing_docs, reason = "a rule is named by what it says")]
            #[doc(hidden)]
            pub fn $rule<P: CachePlace>(place: fn() -> P) {
                keep(place, async |place| self::rule::$rule(place).await);
            }
        )+

        /// The rules are the promises of [`Cache`](trait@crate::Cache), each under its own name.
        #[macro_export]
        macro_rules! cache_suite {
            ($d name:ident, $d place:expr $d(,)?) => {
                mod $d name {
                    #[allow(unused_imports, reason = "the place may be written with full paths")]
                    use super::*;

                    $(
                        // By its full name, as the file may import a `test` of its own.
                        #[::core::prelude::v1::test]
                        fn $rule() {
                            $crate::__private::cache_rules::$rule(|| $d place);
                        }
                    )+
                }
            };
        }
    };
}

rules! {
    $
    a_key_that_nobody_put_is_a_miss,
    what_was_put_comes_back_byte_for_byte,
    what_was_put_is_there_after_reopening,
    a_value_of_ten_megabytes_comes_back,
    two_handles_of_one_place_see_each_other,
    what_is_over_is_a_miss,
    what_was_put_for_no_time_is_a_miss,
    what_was_put_for_ever_stays,
    a_put_replaces_the_value_and_its_time,
    keys_of_other_graphs_and_nodes_do_not_collide,
    a_key_can_be_any_text,
    a_clear_forgets_what_it_names_and_nothing_else,
    what_is_read_during_puts_is_one_of_them_whole,
}

/// Runs a rule, in a runtime of its own with the drivers that the program has.
fn keep<P>(place: fn() -> P, check: impl AsyncFnOnce(&P)) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("could not start a runtime: {error}"));
    // The place is made and dropped within the runtime as well.
    runtime.block_on(async { check(&place()).await });
}
