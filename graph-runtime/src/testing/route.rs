//! What an edge says, compared with what a test expects.

use std::fmt::{Debug, Display, Write as _};

use handoffs_core::Route;

/// The names of nodes are compared as they are written: one that no node has fails when the test runs.
#[macro_export]
macro_rules! assert_route {
    // An edge of a derived graph: what it was given is shown.
    ($($name:ident)::+ ($state:expr, $outcome:expr $(,)?) => $($expected:tt)+) => {
        match ($state, $outcome) {
            (state, outcome) => {
                #[allow(unused_imports, reason = "what is `Debug` is shown without it")]
                use $crate::__private::route_shown::{Shown, Unshown};

                $crate::__private::route_shown::assert_led(
                    ::core::stringify!($($name)::+),
                    $($name)::+(state, outcome),
                    &$crate::__expected_route!($($expected)+),
                    [("state", Shown(state).shown()), ("outcome", Shown(outcome).shown())],
                )
            }
        }
    };
    ($edge:expr => $($expected:tt)+) => {
        $crate::__private::route_shown::assert_led(
            ::core::stringify!($edge),
            $edge,
            &$crate::__expected_route!($($expected)+),
            [],
        )
    };
}

/// Builds the route that `#[route]` would, with names in the place of nodes.
#[doc(hidden)]
#[macro_export]
macro_rules! __expected_route {
    (@with $route:expr;) => { $route };
    (@with $route:expr; limit = $times:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_route!(@with $route.limit($times); $($($rest)*)?)
    };
    (@with $route:expr; else = end $(, $($rest:tt)*)?) => {
        $crate::__expected_route!(@with $route.or_end(); $($($rest)*)?)
    };
    (@with $route:expr; else = $node:ident $(, $($rest:tt)*)?) => {
        $crate::__expected_route!(@with $route.or_else($crate::__expected_route!(@name $node)); $($($rest)*)?)
    };
    (@with $route:expr; approve = $question:ident $(, $($rest:tt)*)?) => {
        $crate::__expected_route!(@with $route.approve(::core::stringify!($question)); $($($rest)*)?)
    };
    (@with $route:expr; concurrency = $most:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_route!(@with $route.concurrency($most); $($($rest)*)?)
    };
    (@with $route:expr; $($wrong:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "no option of a route: `", ::core::stringify!($($wrong)+),
            "`; there are `limit = ..`, `else = ..`, `approve = ..` and `concurrency = ..`"
        ))
    };
    (@name $node:ident) => {
        ::std::borrow::ToOwned::to_owned(::core::stringify!($node))
    };
    (end) => {
        $crate::__private::route_shown::Expected::end()
    };
    (back $(($($options:tt)*))?) => {
        $crate::__expected_route!(
            @with $crate::__private::route_shown::Expected::back();
            $($($options)*)?
        )
    };
    (all($($branch:ident),+ $(,)?) join $join:ident $(($($options:tt)*))?) => {
        $crate::__expected_route!(
            @with $crate::__private::route_shown::Expected::all(
                [$($crate::__expected_route!(@name $branch)),+],
                $crate::__expected_route!(@name $join),
            );
            $($($options)*)?
        )
    };
    (each($items:ident) $worker:ident join $join:ident $(($($options:tt)*))?) => {
        $crate::__expected_route!(
            @with $crate::__private::route_shown::Expected::each(
                ::core::stringify!($items),
                $crate::__expected_route!(@name $worker),
                $crate::__expected_route!(@name $join),
            );
            $($($options)*)?
        )
    };
    ($node:ident $(($($options:tt)*))?) => {
        $crate::__expected_route!(
            @with $crate::__private::route_shown::Expected::to($crate::__expected_route!(@name $node));
            $($($options)*)?
        )
    };
}

/// What an edge function returns: a route, or none where there is no such edge.
pub trait Led {
    /// Returns the route with the names of its nodes.
    fn led(self) -> Option<Route<String>>;
}

impl<N: Clone + Display> Led for Route<N> {
    fn led(self) -> Option<Route<String>> {
        Some(self.map(|node| node.to_string()))
    }
}

impl<N: Clone + Display> Led for Option<Route<N>> {
    fn led(self) -> Option<Route<String>> {
        self.and_then(Led::led)
    }
}

/// A value that is shown if it is `Debug`; the compiler picks the first method that fits.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a, T: ?Sized>(pub &'a T);

impl<T: Debug + ?Sized> Shown<'_, T> {
    /// Returns the value's text.
    pub fn shown(&self) -> Option<String> {
        let line = format!("{:?}", self.0);
        // What does not fit on a line is spread over several.
        Some(if line.len() <= 100 {
            line
        } else {
            format!("{:#?}", self.0)
        })
    }
}

/// What is not `Debug` is not shown.
pub trait Unshown {
    /// Returns that there is no text.
    fn shown(&self) -> Option<String> {
        None
    }
}

impl<T: ?Sized> Unshown for Shown<'_, T> {}

/// Panics if an edge leads elsewhere.
///
/// # Panics
///
/// Panics with the route that was expected, the one that the edge takes, and what it was given.
#[track_caller]
pub fn assert_led<const N: usize>(
    edge: &str,
    taken: impl Led,
    expected: &Route<String>,
    given: [(&str, Option<String>); N],
) {
    let taken = taken.led();
    if taken.as_ref() == Some(expected) {
        return;
    }
    // The compiler puts blanks around the `::` of a path that a macro took apart.
    let edge = edge.replace(" :: ", "::");
    let taken = taken.map_or_else(
        || "no node and outcome of these names".to_owned(),
        |taken| taken.to_string(),
    );
    let mut text = format!("`{edge}` leads elsewhere\n  expected: {expected}\n     taken: {taken}");
    for (name, value) in given {
        if let Some(value) = value {
            let value = value.replace('\n', "\n            ");
            let _ = write!(text, "\n{name:>10}: {value}");
        }
    }
    panic!("{text}");
}
