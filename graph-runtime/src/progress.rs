//! Whether anything has happened: a fingerprint of the fields that count as progress.

use handoffs_core::{FieldSet, State};

/// The fingerprints of the progress fields, of which only those that changed are computed again.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: FieldSet,
    /// The one of them, if there is but one.
    only: Option<usize>,
    stale: FieldSet,
    fields: Vec<u64>,
    /// The fingerprints of all fields, combined by exclusive or.
    all: u64,
}

impl Progress {
    /// Watches the fields that the state marks, or all of them if it marks none, as far as some node of the graph
    /// `writes` them: what nobody does stays the same, however large it is.
    pub(crate) fn new<S: State>(writes: FieldSet) -> Self {
        let all = FieldSet::first_of(S::FIELDS.len());
        let marked = all.iter().filter(|field| S::FIELDS[*field].progress);
        let marked = marked.fold(FieldSet::EMPTY, FieldSet::with);
        let watched = if marked.is_empty() { all } else { marked };
        let watched = watched.and(writes);
        let mut fields = watched.iter();
        let only = fields.next().filter(|_| fields.next().is_none());
        Self {
            watched,
            only,
            stale: watched,
            fields: vec![0; S::FIELDS.len()],
            all: 0,
        }
    }

    /// Returns whether a change of these fields is progress.
    #[cfg(feature = "agents")]
    pub(crate) fn watches(&self, fields: FieldSet) -> bool {
        !self.watched.and(fields).is_empty()
    }

    /// Knows nothing of the state any more.
    pub(crate) fn begin_again(&mut self) {
        self.stale = self.watched;
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
        let Some(only) = self.only else {
            return self.of_several(state);
        };
        if self.stale.contains(only) {
            self.all = fingerprint(state, only)?;
            self.stale = FieldSet::EMPTY;
        }
        Some(self.all)
    }

    #[inline(never)]
    fn of_several<S: State>(&mut self, state: &S) -> Option<u64> {
        for field in self.stale.and(self.watched).iter() {
            let new = fingerprint(state, field)?;
            self.all ^= core::mem::replace(&mut self.fields[field], new) ^ new;
        }
        self.stale = FieldSet::EMPTY;
        Some(self.all)
    }
}

/// Returns the fingerprint of a field, turned by its place, which keeps two fields that swap their values apart.
#[inline]
fn fingerprint<S: State>(state: &S, field: usize) -> Option<u64> {
    let place = u32::try_from(field).unwrap_or(0);
    Some(state.fingerprint(field)?.rotate_left(place))
}

#[cfg(test)]
mod tests {
    use handoffs_core::{Field, FieldSource};
    use serde::Serializer;

    use super::*;

    /// A state of two numbers, written by hand as the derive would.
    #[derive(Clone)]
    struct Pair(u64, u64);

    impl State for Pair {
        const FIELDS: &'static [Field] =
            &[Field::__new("left", false), Field::__new("right", false)];

        fn mark(&self, _: usize) -> Option<usize> {
            None
        }

        fn is_set(&self, _: usize) -> bool {
            true
        }

        fn fingerprint(&self, field: usize) -> Option<u64> {
            handoffs_core::fingerprint(if field == 0 { &self.0 } else { &self.1 })
        }

        fn encode<Z: Serializer>(&self, _: usize, _: usize, z: Z) -> Result<Z::Ok, Z::Error> {
            z.serialize_unit()
        }

        fn decode<F: FieldSource>(source: &mut F) -> Result<Self, F::Error> {
            Ok(Self(
                source.field(&Self::FIELDS[0])?,
                source.field(&Self::FIELDS[1])?,
            ))
        }

        fn branch(&self, _: FieldSet) -> Self {
            self.clone()
        }

        fn take(&mut self, _: usize, from: &mut Self) {
            std::mem::swap(self, from);
        }

        fn merge(&mut self, _: usize, _: &Self, _: &Self, _: bool) -> bool {
            false
        }

        fn load<F: FieldSource>(&mut self, _: usize, _: bool, _: &mut F) -> Result<(), F::Error> {
            Ok(())
        }
    }

    fn whole(state: &Pair) -> Option<u64> {
        Progress::new::<Pair>(FieldSet::ALL).fingerprint(state)
    }

    #[test]
    fn a_fingerprint_kept_up_to_date_is_that_of_the_whole_state() {
        let mut state = Pair(1, 2);
        let mut progress = Progress::new::<Pair>(FieldSet::ALL);
        assert_eq!(progress.fingerprint(&state), whole(&state));
        state.1 = 3;
        progress.changed(FieldSet::EMPTY.with(1));
        assert_eq!(progress.fingerprint(&state), whole(&state));
        assert_ne!(progress.fingerprint(&state), whole(&Pair(1, 2)));
        state.1 = 2;
        progress.changed(FieldSet::EMPTY.with(1));
        assert_eq!(
            progress.fingerprint(&state),
            whole(&Pair(1, 2)),
            "back where it was"
        );
    }

    #[test]
    fn one_field_is_kept_up_to_date_as_several_are() {
        let left = FieldSet::EMPTY.with(0);
        let mut progress = Progress::new::<Pair>(left);
        let mut state = Pair(1, 2);
        let first = progress.fingerprint(&state);
        state.0 = 3;
        assert_eq!(progress.fingerprint(&state), first, "nobody said so");
        progress.changed(left);
        assert_ne!(progress.fingerprint(&state), first);
        (state.0, state.1) = (1, 4);
        progress.changed(FieldSet::ALL);
        assert_eq!(progress.fingerprint(&state), first);
    }

    #[test]
    fn what_no_node_writes_is_not_looked_at() {
        let left = FieldSet::EMPTY.with(0);
        let of_left = |state| Progress::new::<Pair>(left).fingerprint(&state);
        assert_eq!(of_left(Pair(1, 2)), of_left(Pair(1, 3)));
        assert_ne!(of_left(Pair(1, 2)), of_left(Pair(2, 2)));
    }

    #[test]
    fn fields_that_swap_their_values_are_progress() {
        assert_ne!(whole(&Pair(1, 2)), whole(&Pair(2, 1)));
        assert_ne!(whole(&Pair(1, 1)), whole(&Pair(2, 2)));
    }
}
