use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_trait::async_trait;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::error::chain;
use crate::journal::Durability;
use crate::journal::{Hash, Head, Memory, entries, suite};

const PLAIN: &[u8] = br#"{"said":"my card ends in 4711"}"#;

fn key(id: &str, byte: u8) -> SealKey {
    SealKey::new(id, &[byte; 32])
}

fn sealed(store: &Memory, keys: impl KeyProvider) -> Sealed<Memory, ChaCha<impl KeyProvider>> {
    Sealed::new(store.clone(), ChaCha::new(keys))
}

/// Appends and reads never wait here, as nothing below does.
fn try_append(
    journal: &impl Journal,
    thread: &str,
    head: u64,
    records: Vec<Record>,
) -> Result<(), JournalError> {
    let thread = thread.into();
    let appended = journal.append(&thread, head, records, Durability::Sync);
    appended.now_or_never().unwrap()
}

fn append(journal: &impl Journal, thread: &str, head: u64, bodies: &[&[u8]]) {
    try_append(journal, thread, head, suite::records(head, bodies)).unwrap();
}

fn read(journal: &impl Journal, thread: &str) -> Result<Vec<Record>, JournalError> {
    read_after(journal, thread, 0)
}

fn read_after(
    journal: &impl Journal,
    thread: &str,
    after: u64,
) -> Result<Vec<Record>, JournalError> {
    let thread = thread.into();
    journal.read(&thread, after).now_or_never().unwrap()
}

fn compact(
    journal: &impl Journal,
    thread: &ThreadId,
    snapshot: Record,
) -> Result<(), JournalError> {
    let compacted = journal.compact(thread, snapshot, 0);
    compacted.now_or_never().unwrap()
}

fn heads_after(
    journal: &impl Journal,
    after: Option<&ThreadId>,
) -> Result<Vec<(ThreadId, Record)>, JournalError> {
    journal.heads(after, 9).now_or_never().unwrap()
}

/// Returns what is kept of a thread beside its records.
fn kept(journal: &impl Journal, thread: &ThreadId) -> Result<Option<Record>, JournalError> {
    journal.snapshot(thread).now_or_never().unwrap()
}

/// Returns a store whose thread `t` has these records.
fn store(records: impl IntoIterator<Item = Record>) -> Memory {
    let store = Memory::default();
    try_append(&store, "t", 0, records.into_iter().collect()).unwrap();
    store
}

/// Returns what a store has for `t` in which one record of that text was sealed with key `k`.
fn one_sealed() -> Record {
    let store = Memory::default();
    append(&sealed(&store, key("k", 1)), "t", 0, &[PLAIN]);
    read(&store, "t").unwrap().remove(0)
}

fn error(journal: &impl Journal, thread: &str) -> JournalError {
    read(journal, thread).unwrap_err()
}

/// Checks that record `seq` of `t` does not open, and why, and that the error says so.
#[track_caller]
fn assert_closed(error: &JournalError, seq: u64, why: &str) {
    let JournalError::Seal {
        thread, seq: named, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((thread.as_str(), *named), ("t", seq));
    let text = chain(error);
    let record = format!("record {seq} of thread `t` could not be opened");
    for part in [&record, why] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn a_store_sees_neither_the_body_nor_whether_two_are_equal() {
    let store = Memory::default();
    let journal = sealed(&store, key("k", 1));
    append(&journal, "t", 0, &[PLAIN; 200]);
    append(&journal, "u", 0, &[PLAIN]);
    let mut stored = read(&store, "t").unwrap();
    stored.extend(read(&store, "u").unwrap());
    for record in &stored {
        assert_eq!(record.hash, Hash::of(&record.body), "the store's promise");
        assert_ne!(record.hash, Hash::of(PLAIN));
        let mut windows = record.body.windows(8);
        assert!(!windows.any(|window| PLAIN.windows(8).any(|plain| plain == window)));
        let of_plain = Hash::of(PLAIN);
        let mut windows = record.body.windows(32);
        assert!(!windows.any(|window| window == of_plain.as_bytes()));
    }
    let different = |of: fn(&Record) -> &[u8]| stored.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(different(|record| record.hash.as_bytes()), 201);
    let nonce = different(|record| &record.body[4..28]);
    assert_eq!(nonce, 201, "no nonce comes twice");

    assert_eq!(
        read(&journal, "t").unwrap(),
        suite::records(0, [PLAIN; 200])
    );
}

/// What another implementation made of the format as it is documented: libsodium's
/// `crypto_aead_xchacha20poly1305_ietf_encrypt`, called from Python.
#[test]
fn what_was_sealed_once_opens_for_ever() {
    let body = include_bytes!("golden.bin").to_vec();
    let golden = store([layer::record(1, body)]);
    let key = SealKey::from_hex(
        "2026-11",
        "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F",
    );
    let journal = sealed(&golden, key.unwrap()).context("support, production");
    assert_eq!(read(&journal, "t").unwrap(), suite::records(0, [PLAIN]));
}

fn any_slot() -> impl Strategy<Value = (String, String, Part, u64)> {
    let part = prop_oneof![Just(Part::Record), Just(Part::Snapshot)];
    (any::<String>(), any::<String>(), part, any::<u64>())
}

static SEALED_ONCE: LazyLock<Record> = LazyLock::new(one_sealed);

proptest! {
    #[test]
    fn no_byte_can_be_changed(at: proptest::sample::Index, mask in 1u8..) {
        let mut record = SEALED_ONCE.clone();
        let at = at.index(record.body.len());
        record.body[at] ^= mask;
        // A flipped bit on the disk: anybody can tell.
        let journal = sealed(&store([record.clone()]), key("k", 1));
        let is_damaged = matches!(error(&journal, "t"), JournalError::Damaged { seq: 1, .. });
        prop_assert!(is_damaged);
        // Somebody who makes the hash right.
        let journal = sealed(&store([layer::record(1, record.body)]), key("k", 1));
        assert_closed(&error(&journal, "t"), 1, "");
    }

    #[test]
    fn nothing_can_be_cut_off_or_added(cut: proptest::sample::Index, more: Vec<u8>) {
        let whole = &SEALED_ONCE.body;
        let cut = cut.index(whole.len());
        let mut bodies = vec![whole[..cut].to_vec(), whole[cut..].to_vec()];
        if !more.is_empty() {
            bodies.push([whole, &more[..]].concat());
            bodies.push([&whole[..cut], &more[..], &whole[cut..]].concat());
        }
        bodies.retain(|body| body != whole);
        for body in bodies {
            let journal = sealed(&store([layer::record(1, body)]), key("k", 1));
            assert_closed(&error(&journal, "t"), 1, "");
        }
    }

    #[test]
    fn any_bytes_are_an_error(mut body: Vec<u8>, form in 0u8..3, mark: bool) {
        if mark {
            body.splice(..0, [SEALED, form, 1, b'k']);
        }
        let journal = sealed(&store([layer::record(1, body)]), key("k", 1));
        assert_closed(&error(&journal, "t"), 1, "");
    }

    #[test]
    fn any_body_comes_back(body: Vec<u8>, thread: String, context: String) {
        let journal = sealed(&Memory::default(), key("k", 1)).context(context);
        append(&journal, &thread, 0, &[&body]);
        prop_assert_eq!(read(&journal, &thread).unwrap(), suite::records(0, [body]));
    }

    #[test]
    fn no_two_slots_are_authenticated_alike(
        one in any_slot(), other in any_slot(), split: proptest::sample::Index,
    ) {
        let bytes = |(context, thread, part, seq): &(String, String, Part, u64)| {
            let thread = &ThreadId::new(thread.as_str());
            Slot { context, thread, part: *part, seq: *seq }.associated_data()
        };
        prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
        // The same letters, cut elsewhere.
        let joined = one.0.clone() + &one.1;
        let cuts: Vec<_> = (0..=joined.len()).filter(|at| joined.is_char_boundary(*at)).collect();
        let (context, thread) = joined.split_at(cuts[split.index(cuts.len())]);
        let cut = (context.to_owned(), thread.to_owned(), one.2, one.3);
        prop_assert_eq!(bytes(&one) == bytes(&cut), one == cut);
        // The same place, of the other part.
        let part = if one.2 == Part::Record { Part::Snapshot } else { Part::Record };
        prop_assert_ne!(bytes(&(one.0.clone(), one.1.clone(), part, one.3)), bytes(&one));
    }
}

#[test]
fn a_record_opens_nowhere_else() {
    let other = Memory::default();
    let journal = sealed(&other, key("k", 1));
    append(&journal, "u", 0, &[b"1", b"2"]);
    append(&journal, "t", 0, &[b"1", b"2"]);
    let (of_u, of_t) = (read(&other, "u").unwrap(), read(&other, "t").unwrap());
    let why = "does not open with key `k`: it was changed, or sealed for another place";
    // Another thread.
    let moved = sealed(&store(of_u.clone()), key("k", 1));
    assert_closed(&error(&moved, "t"), 1, why);
    let swapped = [of_t[0].clone(), of_u[1].clone()];
    let swapped = sealed(&store(swapped), key("k", 1));
    assert_closed(&error(&swapped, "t"), 2, why);
    // Another number.
    let again = [of_t[0].clone(), layer::record(2, of_t[0].body.clone())];
    let again = sealed(&store(again), key("k", 1));
    assert_closed(&error(&again, "t"), 2, why);
    // Another journal.
    let elsewhere = sealed(&store(of_t.clone()), key("k", 1)).context("production");
    assert_closed(&error(&elsewhere, "t"), 1, why);
    // Where it was, it opens, and what stands before it need not.
    let at_home = sealed(&store(of_t), key("k", 1));
    assert_eq!(read(&at_home, "t").unwrap(), suite::records(0, ["1", "2"]));
    assert_closed(&read_after(&swapped, "t", 1).unwrap_err(), 2, why);
}

#[test]
fn a_snapshot_is_no_record_and_a_record_no_snapshot() {
    let thread = ThreadId::new("t");
    let store = Memory::default();
    let journal = sealed(&store, key("k", 1));
    append(&journal, "t", 0, &[b"1", b"2"]);
    let snapshot = suite::records(1, [PLAIN]).remove(0);
    compact(&journal, &thread, snapshot.clone()).unwrap();
    let stored = kept(&store, &thread).unwrap().unwrap();
    assert_ne!(stored.body, snapshot.body);
    assert_eq!(stored.hash, Hash::of(&stored.body), "the store's promise");
    assert_eq!(kept(&journal, &thread).unwrap(), Some(snapshot.clone()));

    // In the place of the record of its number.
    let sealed_records = read(&store, "t").unwrap();
    let put = [sealed_records[0].clone(), stored.clone()];
    let moved = sealed(&self::store(put), key("k", 1));
    let why = "does not open with key `k`: it was changed, or sealed for another place";
    assert_closed(&error(&moved, "t"), 2, why);
    // That record in its place, a snapshot of another number, and one that is not sealed.
    let mut renumbered = stored;
    renumbered.seq = 1;
    let unsealed = "it is not sealed";
    for (wrong, why) in [
        (sealed_records[1].clone(), why),
        (renumbered, why),
        (snapshot.clone(), unsealed),
    ] {
        let seq = wrong.seq;
        let store = self::store(sealed_records.clone());
        compact(&store, &thread, wrong).unwrap();
        let journal = sealed(&store, key("k", 1));
        let text = chain(&kept(&journal, &thread).unwrap_err());
        let named = format!("record {seq} of thread `t` could not be opened in the snapshot");
        assert!(text.contains(&named) && text.contains(why), "{text}");
        // The records are none the worse for it.
        assert_eq!(read(&journal, "t").unwrap().len(), 2);
    }
    // One whose hash is wrong is not kept.
    let mut wrong = snapshot;
    wrong.hash = Hash::of(b"another");
    assert!(compact(&journal, &thread, wrong).is_err());
}

#[test]
fn the_last_records_of_threads_are_opened_each_for_its_own() {
    let store = Memory::default();
    let journal = sealed(&store, key("k", 1));
    append(&journal, "t", 0, &[b"1", b"2"]);
    append(&journal, "u", 0, &[b"3"]);
    let heads = heads_after(&journal, None).unwrap();
    let last = |(thread, seq, body): (&str, u64, &str)| {
        (
            ThreadId::new(thread),
            suite::records(seq - 1, [body]).remove(0),
        )
    };
    assert_eq!(heads, [("t", 2, "2"), ("u", 1, "3")].map(last));
    // One that does not open is named, so that whoever asks can go on behind it.
    let of_u = read(&store, "u").unwrap();
    try_append(&store, "s", 0, of_u).unwrap();
    let error = heads_after(&journal, None).unwrap_err();
    assert!(
        matches!(&error, JournalError::Seal { thread, seq: 1, .. } if thread.as_str() == "s"),
        "{error:?}"
    );
    let behind = heads_after(&journal, Some(&"s".into()));
    assert_eq!(behind.unwrap().len(), 2);
}

#[test]
fn keys_can_be_changed_and_old_records_are_read() {
    let store = Memory::default();
    append(&sealed(&store, key("old", 1)), "t", 0, &[b"1"]);
    let ring = KeyRing::new(key("new", 2)).and(key("old", 1));
    let journal = sealed(&store, ring.clone());
    append(&journal, "t", 1, &[b"2"]);
    assert_eq!(read(&journal, "t").unwrap(), suite::records(0, ["1", "2"]));

    // What was written since is sealed with the new key alone.
    let error_with = |keys: KeyRing| error(&sealed(&store, keys), "t");
    let unknown = error_with(KeyRing::new(key("old", 1)));
    assert_closed(
        &unknown,
        2,
        "sealed with key `new`, which is not at hand; add that key",
    );
    let unknown = error_with(KeyRing::new(key("new", 2)));
    assert_closed(&unknown, 1, "sealed with key `old`, which is not at hand");
    let wrong = error_with(KeyRing::new(key("new", 2)).and(key("old", 3)));
    assert_closed(&wrong, 1, "does not open with key `old`");
    let odd = Memory::default();
    append(
        &sealed(&odd, key("k\nERROR all is lost", 1)),
        "t",
        0,
        &[b"1"],
    );
    let unknown = error(&sealed(&odd, key("k", 1)), "t");
    assert_closed(&unknown, 1, "with key `k\\nERROR all is lost`, which");
    // Of two keys with one name the first counts.
    let journal = sealed(&store, ring.and(key("old", 7)));
    assert!(read(&journal, "t").is_ok());
}

#[test]
fn a_record_that_is_not_sealed_is_not_read() {
    let plain = store(suite::records(0, [PLAIN]));
    let journal = sealed(&plain, key("k", 1));
    assert_closed(&error(&journal, "t"), 1, "it is not sealed");
    append(&journal, "t", 1, &[PLAIN]);
    assert_closed(&error(&journal, "t"), 1, "it is not sealed");
    let after = read_after(&journal, "t", 1).unwrap();
    assert_eq!(after, suite::records(1, [PLAIN]));

    // And without the layer, one that is sealed is no entry.
    let bare = entries(&"t".into(), Head::of(&"t".into()), &[one_sealed()]).unwrap_err();
    assert!(matches!(bare, JournalError::Layered { seq: 1, .. }));
    let text = chain(&bare);
    assert!(text.contains("open the journal through `Sealed`"), "{text}");
}

#[test]
fn what_has_a_wrong_hash_is_not_sealed() {
    let store = Memory::default();
    let journal = sealed(&store, key("k", 1));
    let mut records = suite::records(0, [PLAIN, PLAIN]);
    records[1].hash = Hash::of(b"another");
    let error = try_append(&journal, "t", 0, records).unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error:?}"
    );
    assert_eq!(read(&store, "t").unwrap(), []);
}

#[derive(Debug)]
struct Down;

#[async_trait]
impl KeyProvider for Down {
    async fn current(&self, _: &ThreadId) -> Result<SealKey, SealError> {
        Err(SealError::keys("the vault is sealed"))
    }

    async fn key(&self, _: &ThreadId, _: &str) -> Result<Option<SealKey>, SealError> {
        Err(SealError::keys("the vault is sealed"))
    }
}

#[test]
fn without_a_key_nothing_is_written_and_nothing_is_called_damaged() {
    let store = store([one_sealed()]);
    let journal = sealed(&store, Arc::new(Down));
    let why = "the key provider failed; see to it and try again: the vault is sealed";
    assert_closed(&error(&journal, "t"), 1, why);
    let long = sealed(&store, key(&"k".repeat(256), 1));
    let appends = [
        try_append(&journal, "t", 1, suite::records(1, ["2"])),
        try_append(&long, "t", 1, suite::records(1, ["2"])),
    ];
    for (append, why) in appends.into_iter().zip([why, "write down the key's name"]) {
        let text = chain(&append.unwrap_err());
        for part in ["record 2 of thread `t` could not be sealed", why] {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
    }
    assert_eq!(read(&store, "t").unwrap().len(), 1);
    // The longest name that there is.
    let long = sealed(&Memory::default(), key(&"k".repeat(255), 1));
    append(&long, "t", 0, &[PLAIN]);
    assert_eq!(read(&long, "t").unwrap(), suite::records(0, [PLAIN]));
}

#[test]
fn a_key_is_overwritten_when_it_is_dropped_and_never_shown() {
    fn is_overwritten<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    is_overwritten(&zeroize::Zeroizing::new([0u8; 32]));
    is_overwritten(
        &<chacha20poly1305::XChaCha20Poly1305 as chacha20poly1305::KeyInit>::new((&[0; 32]).into()),
    );

    let secret = SealKey::new("k", &[0xab; 32]);
    assert!(
        std::ptr::eq(secret.expose(), secret.clone().expose()),
        "one place for all clones"
    );
    let ring = KeyRing::new(secret.clone()).and(secret.clone());
    let journal = sealed(&Memory::default(), ring.clone());
    for text in [
        format!("{secret:?}"),
        format!("{ring:?}"),
        format!("{journal:#?}"),
    ] {
        for leak in ["171", "ab, ", "abab", "AB"] {
            assert!(!text.contains(leak), "{text}");
        }
    }
}

#[test]
fn a_key_is_read_from_hexadecimal_digits() {
    let text = "00ff".repeat(16);
    let read = SealKey::from_hex("k", &text).unwrap();
    assert_eq!(read.expose()[..4], [0, 255, 0, 255]);
    assert_eq!(
        SealKey::from_hex("k", &text.to_uppercase())
            .unwrap()
            .expose(),
        read.expose()
    );
    for wrong in [
        "",
        "00",
        &"0".repeat(63),
        &"0".repeat(65),
        &"g".repeat(64),
        &"é".repeat(32),
    ] {
        let error = SealKey::from_hex("k", wrong).unwrap_err();
        assert!(chain(&error).contains("64 hexadecimal digits"), "{error}");
    }
    let drawn = [SealKey::random("k").unwrap(), SealKey::random("k").unwrap()];
    assert_ne!(drawn[0].expose(), drawn[1].expose());
    assert_ne!(drawn[0].expose(), &[0; 32]);
}
