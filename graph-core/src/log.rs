//! An append-only list: the field type for what only ever grows, such as messages.
//!
//! Clones share one buffer and each remembers how much of it is its own. The clone that stands at
//! the tip appends in place; one that finds its next slot taken by another clone goes on in a
//! segment of its own, which continues the shared one. So a clone costs O(1), a push amortised
//! O(1) even while older clones live, and nothing is ever copied.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::{Index, Range};
use std::sync::{Arc, OnceLock};

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Slots in the first block of a segment; each further block is twice the size of the one before.
const FIRST_BLOCK: usize = 8;
/// Blocks in a segment; beyond their 2³¹ slots a log goes on in a new segment.
const BLOCKS: usize = 28;

/// An append-only list of `T`.
///
/// Cloning is O(1) and appending is amortised O(1) even while older clones live, so a run can keep
/// the state as it was before a step at no cost. What a step appended is [`Log::since`] a
/// mark, and that tail is all that a journal stores.
///
/// ```
/// use handoffs_core::Log;
///
/// let mut messages = Log::from(vec!["hello"]);
/// let before = messages.clone();
/// messages.push("my card is lost");
///
/// assert_eq!(before.len(), 1);
/// assert_eq!(messages.since(before.len()).collect::<Vec<_>>(), [&"my card is lost"]);
/// assert!(messages.continues(&before));
/// assert_eq!(messages, ["hello", "my card is lost"]);
/// ```
pub struct Log<T> {
    segment: Option<Arc<Segment<T>>>,
    len: usize,
}

/// An item that continues another log, and slots for those behind it. A slot is written once, by the first
/// clone to get there.
struct Segment<T> {
    before: Log<T>,
    /// It stands in the segment itself, as a branch of a fork often appends no more than this one.
    item: T,
    first: OnceLock<Block<T>>,
    /// Made when the first block is full.
    later: OnceLock<Box<[OnceLock<Block<T>>; BLOCKS - 1]>>,
}

type Block<T> = Box<[OnceLock<T>]>;

impl<T> Log<T> {
    /// Returns an empty log, without allocating.
    pub const fn new() -> Self {
        Self {
            segment: None,
            len: 0,
        }
    }

    /// Returns the number of items. It is also the mark to give to [`Log::since`] later.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the log has no items.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an item.
    pub fn push(&mut self, item: T) {
        let item = match &self.segment {
            Some(segment) => match segment.set(self.len - segment.before.len - 1, item) {
                Ok(()) => {
                    self.len += 1;
                    return;
                }
                Err(item) => item,
            },
            None => item,
        };
        let len = self.len + 1;
        let segment = Segment {
            before: core::mem::take(self),
            item,
            first: OnceLock::new(),
            later: OnceLock::new(),
        };
        *self = Self {
            segment: Some(Arc::new(segment)),
            len,
        };
    }

    /// Returns the item at `index`, counted from the oldest, or `None` beyond the end.
    pub fn get(&self, index: usize) -> Option<&T> {
        if index >= self.len {
            return None;
        }
        let mut segment = self.segment.as_deref()?;
        while index < segment.before.len {
            segment = segment.before.segment.as_deref()?;
        }
        segment.get(index - segment.before.len)
    }

    /// Returns the newest item.
    pub fn last(&self) -> Option<&T> {
        self.get(self.len.checked_sub(1)?)
    }

    /// Returns the items from the oldest to the newest.
    pub fn iter(&self) -> Iter<'_, T> {
        self.since(0)
    }

    /// Returns the items that were appended after the log had `mark` of them; none if it is shorter.
    pub fn since(&self, mark: usize) -> Iter<'_, T> {
        Iter {
            log: self,
            range: mark.min(self.len)..self.len,
            item: PhantomData,
        }
    }

    /// Returns clones of the items, from the oldest to the newest.
    pub fn to_vec(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.iter().cloned().collect()
    }

    /// Returns whether this log is `older` with nothing or something appended.
    ///
    /// It compares where the items are kept, not the items, in O(1): a log that was built anew is no
    /// continuation, even if its items are equal.
    pub fn continues(&self, older: &Self) -> bool {
        match older.last() {
            None => true,
            Some(last) => self
                .get(older.len - 1)
                .is_some_and(|item| core::ptr::eq(item, last)),
        }
    }
}

impl<T> Segment<T> {
    /// Fills a slot behind the first item, or gives the item back if the slot is taken or beyond the segment.
    fn set(&self, index: usize, item: T) -> Result<(), T> {
        let (block, slot) = place(index);
        let later = || {
            self.later
                .get_or_init(|| Box::new([const { OnceLock::new() }; BLOCKS - 1]))
        };
        let cell = match block.checked_sub(1) {
            None => Some(&self.first),
            Some(block) => later().get(block),
        };
        let Some(cell) = cell else {
            return Err(item);
        };
        let slots = || (0..FIRST_BLOCK << block).map(|_| OnceLock::new()).collect();
        cell.get_or_init(slots)[slot].set(item)
    }

    fn get(&self, index: usize) -> Option<&T> {
        let Some(index) = index.checked_sub(1) else {
            return Some(&self.item);
        };
        let (block, slot) = place(index);
        let cell = match block.checked_sub(1) {
            None => &self.first,
            Some(block) => self.later.get()?.get(block)?,
        };
        cell.get()?.get(slot)?.get()
    }
}

/// Returns the block and the slot in it where a segment keeps the item number `index` of those behind its first.
const fn place(index: usize) -> (usize, usize) {
    let block = (index / FIRST_BLOCK + 1).ilog2() as usize;
    (block, index - FIRST_BLOCK * ((1 << block) - 1))
}

impl<T> Drop for Segment<T> {
    /// Unlinks one segment after another, as a long chain dropped by recursion would overflow the stack.
    fn drop(&mut self) {
        let mut before = core::mem::take(&mut self.before);
        while let Some(mut segment) = before.segment.take().and_then(Arc::into_inner) {
            before = core::mem::take(&mut segment.before);
        }
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self {
            segment: self.segment.clone(),
            len: self.len,
        }
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<T: PartialEq> PartialEq for Log<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (self.continues(other) || self.iter().eq(other))
    }
}

impl<T: Eq> Eq for Log<T> {}

/// A log is compared with lists as a `Vec` is, so a test may say `assert_eq!(state.notes, ["sorted", "paid"])`.
impl<T: PartialEq<U>, U> PartialEq<[U]> for Log<T> {
    fn eq(&self, other: &[U]) -> bool {
        self.len == other.len() && self.iter().zip(other).all(|(item, other)| item == other)
    }
}

impl<T: PartialEq<U>, U> PartialEq<&[U]> for Log<T> {
    fn eq(&self, other: &&[U]) -> bool {
        *self == **other
    }
}

impl<T: PartialEq<U>, U, const N: usize> PartialEq<[U; N]> for Log<T> {
    fn eq(&self, other: &[U; N]) -> bool {
        *self == other[..]
    }
}

impl<T: PartialEq<U>, U> PartialEq<Vec<U>> for Log<T> {
    fn eq(&self, other: &Vec<U>) -> bool {
        *self == other[..]
    }
}

impl<T> Index<usize> for Log<T> {
    type Output = T;

    /// Returns the item at `index`.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`Log::len`]; [`Log::get`] does not.
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(item) => item,
            None => panic!("index {index} is beyond a log of {} items", self.len),
        }
    }
}

impl<T> Extend<T> for Log<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push(item);
        }
    }
}

impl<T> FromIterator<T> for Log<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut log = Self::new();
        log.extend(items);
        log
    }
}

impl<T> From<Vec<T>> for Log<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<'a, T> IntoIterator for &'a Log<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: Serialize> Serialize for Log<T> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Log<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Log<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Log<T>, A::Error> {
                let mut log = Log::new();
                while let Some(item) = items.next_element()? {
                    log.push(item);
                }
                Ok(log)
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// The items of a [`Log`], from the oldest to the newest.
pub struct Iter<'a, T> {
    log: &'a Log<T>,
    range: Range<usize>,
    item: PhantomData<&'a T>,
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self {
            log: self.log,
            range: self.range.clone(),
            item: PhantomData,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.log.get(self.range.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.log.get(self.range.next_back()?)
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> FusedIterator for Iter<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_length_while_the_other_goes_on() {
        let mut log: Log<u32> = (0..100).collect();
        let old = log.clone();
        log.extend(100..200);

        assert_eq!(
            old.iter().copied().collect::<Vec<_>>(),
            (0..100).collect::<Vec<_>>()
        );
        assert_eq!(
            log.iter().copied().collect::<Vec<_>>(),
            (0..200).collect::<Vec<_>>()
        );
        assert_eq!(log.since(100).len(), 100);
    }

    #[test]
    fn a_log_is_compared_with_lists_of_what_its_items_are_compared_with() {
        let log = Log::from(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(log, ["a", "b"]);
        assert_eq!(log, vec!["a", "b"]);
        assert_eq!(log, &["a", "b"][..]);
        assert_eq!(log, *log.to_vec());
        assert_ne!(log, ["a", "c"]);
        assert_ne!(log, ["a"]);
        assert_ne!(log, ["a", "b", "c"]);
        assert_eq!(Log::<u8>::new(), [0_u8; 0]);
    }

    #[test]
    fn two_clones_that_both_append_do_not_see_each_other() {
        let mut left = Log::from(vec![1, 2]);
        let mut right = left.clone();
        left.push(3);
        right.push(4);
        left.push(5);
        right.push(6);

        assert_eq!(left, Log::from(vec![1, 2, 3, 5]));
        assert_eq!(right, Log::from(vec![1, 2, 4, 6]));
        assert_eq!(
            right.iter().rev().copied().collect::<Vec<_>>(),
            [6, 4, 2, 1]
        );
    }

    #[test]
    fn only_a_log_with_something_appended_continues_the_other() {
        let base = Log::from(vec![1, 2]);
        let mut longer = base.clone();
        longer.push(3);
        let mut other = base.clone();
        other.push(3);

        assert!(longer.continues(&base) && base.continues(&base) && base.continues(&Log::new()));
        assert!(!base.continues(&longer));
        assert!(!other.continues(&longer), "equal items, kept elsewhere");
        assert!(!Log::from(vec![1, 2, 3]).continues(&base));
        assert_eq!(other, longer);
    }

    #[test]
    fn a_hundred_thousand_branch_points_are_dropped_without_recursion() {
        let mut log = Log::from(vec![0_u32]);
        for item in 0..100_000 {
            log.clone().push(item);
            log.push(item);
        }
        assert_eq!(log.last(), Some(&99_999));
        drop(log);
    }

    #[test]
    fn places_are_contiguous_over_the_blocks() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_BLOCK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn a_log_is_read_back_from_json_as_it_was_written() {
        let log = Log::from(vec!["a".to_owned(), "b".to_owned()]);
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(json, r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<Log<String>>(&json).unwrap(), log);
    }

    #[test]
    fn threads_that_append_to_clones_at_once_each_get_their_own_items() {
        let base: Log<usize> = (0..5).collect();
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let mut log = base.clone();
                scope.spawn(move || {
                    log.extend((0..500).map(|n| worker * 1000 + n));
                    assert_eq!(log.len(), 505);
                    assert!(
                        log.since(5)
                            .enumerate()
                            .all(|(n, item)| *item == worker * 1000 + n)
                    );
                });
            }
        });
    }
}
