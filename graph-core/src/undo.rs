//! A field that a node sets where it stands.

/// A field that is put back to what it was, unless the node that sets it concludes: when it fails, panics or is
/// cut off.
#[derive(Debug)]
pub struct Undo<'a, F> {
    pub(crate) field: &'a mut F,
    /// What the field was, once it is set.
    pub(crate) before: Option<F>,
}

impl<'a, F> Undo<'a, F> {
    /// Begins with a field that nobody has set.
    #[inline]
    pub const fn new(field: &'a mut F) -> Self {
        Self {
            field,
            before: None,
        }
    }

    /// Lets the field be as it is now, and returns what it was if it was set.
    #[inline]
    pub fn kept(mut self) -> Option<F> {
        self.before.take()
    }
}

impl<F> Drop for Undo<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            *self.field = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Out;

    #[test]
    fn what_was_set_is_put_back_unless_it_is_kept() {
        let mut field = Some("before".to_owned());
        let mut undo = Undo::new(&mut field);
        let mut out = Out::undoable(&mut undo);
        out.set("first".to_owned());
        out.set("second".to_owned());
        assert_eq!(out.get().map(String::as_str), Some("second"));
        drop(undo);
        assert_eq!(field.as_deref(), Some("before"));

        let mut undo = Undo::new(&mut field);
        Out::undoable(&mut undo).set("after".to_owned());
        assert_eq!(undo.kept(), Some(Some("before".to_owned())));
        assert_eq!(field.as_deref(), Some("after"));
    }

    #[test]
    fn what_was_changed_in_place_is_put_back_as_well() {
        let mut field = Some(vec![1]);
        let mut undo = Undo::new(&mut field);
        let mut out = Out::undoable(&mut undo);
        out.get_mut().expect("a value").push(2);
        assert_eq!(out.get(), Some(&vec![1, 2]));
        drop(undo);
        assert_eq!(field, Some(vec![1]));
    }

    #[test]
    fn a_field_that_nobody_sets_was_nothing_else() {
        let mut field = Some(1);
        let mut undo = Undo::new(&mut field);
        assert_eq!(Out::undoable(&mut undo).get(), Some(&1));
        assert_eq!(undo.kept(), None);
        assert_eq!(field, Some(1));
    }
}
