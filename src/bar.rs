//! A bar for what takes long, on stderr.

#[cfg(feature = "batch")]
use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a work is, if it is wanted and stderr is a terminal, and is gone when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Begins at nothing of so many.
    pub(crate) fn new(is_wanted: bool, many: usize, what: &str) -> Self {
        if !is_wanted {
            return Self(ProgressBar::hidden());
        }
        // Of itself it hides where stderr is no terminal.
        let bar = ProgressBar::new(many as u64);
        let look = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{eta}} left  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&look) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Goes on by one.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// Prints something above the bar.
    #[cfg(feature = "cli")]
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Says what has come out so far.
    #[cfg(feature = "batch")]
    pub(crate) fn say(&self, message: impl Into<Cow<'static, str>>) {
        self.0.set_message(message);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
