//! Whether anything has happened: a fingerprint of the fields that count as progress.

use handoffs_core::{FieldSet, State};

/// The fingerprints of the progress fields, of which only those that changed are computed again.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: FieldSet,
    stale: FieldSet,
    fingerprints: Vec<u64>,
}

impl Progress {
    /// Watches the fields that the state marks, or all of them if it marks none.
    pub(crate) fn new<S: State>() -> Self {
        let marked = (0..S::FIELDS.len())
            .filter(|field| S::FIELDS[*field].progress)
            .fold(FieldSet::EMPTY, FieldSet::with);
        let all = (0..S::FIELDS.len()).fold(FieldSet::EMPTY, FieldSet::with);
        let watched = if marked.is_empty() { all } else { marked };
        Self { watched, stale: watched, fingerprints: vec![0; S::FIELDS.len()] }
    }

    /// Notes that fields have changed.
    pub(crate) fn changed(&mut self, fields: FieldSet) {
        self.stale = self.stale.or(fields.and(self.watched));
    }

    /// Returns the fingerprint of the progress fields, or `None` if one of them cannot be
    /// serialised: then nothing is known of progress, and no edge is masked for the lack of it.
    pub(crate) fn fingerprint<S: State>(&mut self, state: &S) -> Option<u64> {
        for field in self.stale.iter() {
            self.fingerprints[field] = state.fingerprint(field)?;
        }
        self.stale = FieldSet::EMPTY;
        // The golden ratio's bits spread each field's fingerprint before the next is added.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |sum: u64, field: usize| (sum.rotate_left(5) ^ self.fingerprints[field]).wrapping_mul(SPREAD);
        Some(self.watched.iter().fold(0, mix))
    }
}
