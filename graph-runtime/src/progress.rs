//! Whether anything has happened: a fingerprint of the fields that count as progress.

use handoffs_core::{FieldSet, State};

/// The fingerprints of the progress fields, of which only those that changed are computed again.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: FieldSet,
    stale: FieldSet,
    fields: Vec<u64>,
    /// The fingerprints of all fields, combined by exclusive or.
    all: u64,
}

impl Progress {
    /// Watches the fields that the state marks, or all of them if it marks none.
    pub(crate) fn new<S: State>() -> Self {
        let all = FieldSet::first_of(S::FIELDS.len());
        let marked = all.iter().filter(|field| S::FIELDS[*field].progress);
        let marked = marked.fold(FieldSet::EMPTY, FieldSet::with);
        let watched = if marked.is_empty() { all } else { marked };
        Self { watched, stale: watched, fields: vec![0; S::FIELDS.len()], all: 0 }
    }

    /// Notes that fields have changed.
    #[inline]
    pub(crate) fn changed(&mut self, fields: FieldSet) {
        self.stale = self.stale.or(fields);
    }

    /// Returns the fingerprint of the progress fields, or `None` if one of them cannot be
    /// serialised: then nothing is known of progress, and no edge is masked for the lack of it.
    #[inline]
    pub(crate) fn fingerprint<S: State>(&mut self, state: &S) -> Option<u64> {
        for field in self.stale.and(self.watched).iter() {
            // A rotation by the field's place keeps two fields that swap their values apart.
            let place = u32::try_from(field).unwrap_or(0);
            let new = state.fingerprint(field)?.rotate_left(place);
            self.all ^= core::mem::replace(&mut self.fields[field], new) ^ new;
        }
        self.stale = FieldSet::EMPTY;
        Some(self.all)
    }
}
