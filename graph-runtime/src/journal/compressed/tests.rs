use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::error::chain;
use crate::journal::Durability;
use crate::journal::{Head, Memory, entries, suite};

fn compressed(store: &Memory) -> Compressed<Memory> {
    Compressed::new(store.clone())
}

/// Appends and reads never wait here, as nothing below does.
fn try_append(journal: &impl Journal, records: Vec<Record>) -> Result<(), JournalError> {
    let thread = "t".into();
    let appended = journal.append(&thread, 0, records, Durability::Sync);
    appended.now_or_never().unwrap()
}

fn append(journal: &impl Journal, bodies: &[&[u8]]) {
    try_append(journal, suite::records(0, bodies)).unwrap();
}

fn read(journal: &impl Journal) -> Result<Vec<Record>, JournalError> {
    let thread = "t".into();
    journal.read(&thread, 0).now_or_never().unwrap()
}

/// Returns how the store has the first record of these bodies.
fn stored(journal: impl Fn(Memory) -> Compressed<Memory>, body: &[u8]) -> Vec<u8> {
    let store = Memory::default();
    let journal = journal(store.clone());
    append(&journal, &[body]);
    assert_eq!(read(&journal).unwrap(), suite::records(0, [body]));
    let record = read(&store).unwrap().remove(0);
    assert_eq!(
        layer::record(1, record.body.clone()),
        record,
        "the store's promise"
    );
    record.body
}

/// Returns the error of a journal whose second record is written so.
fn refused(bound: usize, body: &[u8]) -> String {
    let store = Memory::default();
    append(&store, &[b"{}", body]);
    let error = read(&compressed(&store).bound(bound)).unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error:?}"
    );
    let text = chain(&error);
    assert!(
        text.starts_with("record 2 of thread `t` is damaged: it "),
        "{text}"
    );
    text
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&[ZSTD], &zstd::bulk::compress(body, LEVEL).unwrap()[..]].concat()
}

/// Returns bytes that no compressor makes anything of.
fn noise(length: usize) -> Vec<u8> {
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut bytes = vec![0; length];
    noise.fill(&mut bytes);
    bytes
}

#[test]
fn large_records_become_small_and_small_ones_stay_as_they_are() {
    let json = |length: usize| format!("{{\"a\":\"{}\"}}", "a".repeat(length)).into_bytes();
    let (below, at) = (json(1023 - 8), json(1024 - 8));
    assert_eq!((below.len(), at.len()), (1023, 1024));
    assert_eq!(stored(Compressed::new, &below), below);
    assert_eq!(stored(Compressed::new, &at)[0], ZSTD);
    let large = stored(Compressed::new, &json(100_000));
    assert!(large.len() < 200, "{}", large.len());

    let eager = |store| Compressed::new(store).threshold(0);
    assert_eq!(stored(eager, &json(200))[0], ZSTD);
    assert_eq!(stored(eager, b"{}"), b"{}", "it would not become smaller");
    assert_eq!(stored(eager, b""), [AS_IT_IS]);
    let noise = noise(4096);
    assert_eq!(stored(eager, &noise), [&[AS_IT_IS], &noise[..]].concat());
    // What no entry begins with is told from the codecs.
    for body in [&[ZSTD, 2, 3][..], &[AS_IT_IS], &[0xff]] {
        assert_eq!(stored(Compressed::new, body), [&[AS_IT_IS], body].concat());
    }
}

#[test]
fn a_journal_that_was_never_compressed_is_read_as_it_is() {
    let store = Memory::default();
    let large = [b"{\"a\":\"", &[b'a'; 9_000][..], b"\"}"].concat();
    append(&store, &[b"{}", &large]);
    assert_eq!(read(&compressed(&store)).unwrap(), read(&store).unwrap());

    // The reverse is refused, and says what to do.
    let bare = suite::records(0, [frame(&large)]);
    let text = chain(&entries(&"t".into(), Head::of(&"t".into()), &bare).unwrap_err());
    assert!(
        text.contains("open the journal through `Compressed`"),
        "{text}"
    );
}

#[test]
fn heads_and_snapshots_are_written_as_records_are() {
    let large = [b"{\"a\":\"", &[b'a'; 9_000][..], b"\"}"].concat();
    let store = Memory::default();
    let journal: &dyn Journal = &compressed(&store);
    append(&store, &[b"{}", &frame(&large)]);
    let thread = ThreadId::new("t");
    let last = suite::records(1, [&large]).remove(0);
    let compacted = journal.compact(&thread, last.clone(), 1);
    compacted.now_or_never().unwrap().unwrap();

    let kept = |journal: &dyn Journal| journal.snapshot(&thread).now_or_never().unwrap();
    let stored = kept(&store).unwrap().unwrap();
    assert_eq!(stored.body[0], ZSTD);
    let whole = layer::record(2, stored.body.clone());
    assert_eq!(stored, whole, "the store's promise");
    assert_eq!(kept(journal).unwrap(), Some(last.clone()));
    let heads = journal.heads(None, 9).now_or_never().unwrap().unwrap();
    assert_eq!(heads, [(thread.clone(), last)]);

    // A damaged one is an error, and the records are none the worse for it.
    let store = Memory::default();
    append(&store, &[b"{}", b"{}"]);
    let cut = layer::record(2, stored.body[..9].to_vec());
    let compacted = store.compact(&thread, cut, 0).now_or_never();
    compacted.unwrap().unwrap();
    let journal = compressed(&store);
    let error = kept(&journal).unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error:?}"
    );
    assert_eq!(read(&journal).unwrap().len(), 2);
}

#[test]
fn a_bomb_does_not_go_off() {
    let bomb = frame(&vec![0; 50_000_000]);
    assert!(bomb.len() < 5_000, "{}", bomb.len());
    let text = refused(1_000_000, &bomb);
    for part in ["would become 50000000 bytes", "1000000 is the bound"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    // To the byte.
    let body = vec![b'a'; 2_000];
    let store = Memory::default();
    append(&compressed(&store), &[&body]);
    assert!(read(&compressed(&store).bound(2_000)).is_ok());
    assert!(read(&compressed(&store).bound(1_999)).is_err());

    // One that claims more than any frame of its length becomes, one that says nothing about it, one
    // that is many frames, and one that becomes longer than it says.
    for size in [u64::MAX - 2, 1 << 40, 1 << 20] {
        let mut claim = vec![ZSTD, 0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        claim.extend_from_slice(&size.to_le_bytes());
        claim.extend_from_slice(&[1, 0, 0]);
        let text = refused(usize::MAX, &claim);
        assert!(text.contains("claims to become"), "{text}");
    }
    let mut short = frame(&[0; 300]);
    short[6] -= 1;
    assert!(refused(1_000_000, &short).contains("cannot be decompressed"));
    let mut silent = zstd::stream::write::Encoder::new(vec![ZSTD], LEVEL).unwrap();
    std::io::Write::write_all(&mut silent, &[0; 9_000]).unwrap();
    assert!(refused(10_000, &silent.finish().unwrap()).contains("does not say its size"));
    let frames = [&frame(&[0; 9_000])[..], &frame(&[0; 9_000])[1..]].concat();
    assert!(refused(1_000_000, &frames).contains("cannot be decompressed"));

    // What is larger than the bound is not compressed, so it can be read.
    let bounded = |store| Compressed::new(store).bound(1_999);
    assert_eq!(stored(bounded, &body)[0], AS_IT_IS);
}

#[test]
fn what_is_written_in_another_way_is_refused() {
    assert!(refused(9, &[]).contains("it is empty"));
    assert!(refused(9, &[2, 1]).contains("in a way (0x02) that this version does not know"));
    assert!(refused(9, &[ZSTD]).contains("cannot be decompressed"));
}

#[test]
fn a_wrong_hash_is_refused_on_both_sides() {
    let mut records = suite::records(0, ["{}", "{2}"]);
    records[1].hash = records[0].hash;
    let store = Memory::default();
    let error = try_append(&compressed(&store), records.clone()).unwrap_err();
    assert!(
        matches!(error, JournalError::Damaged { seq: 2, .. }),
        "{error:?}"
    );
    assert_eq!(read(&store).unwrap(), []);
    try_append(&store, records).unwrap();
    let error = read(&compressed(&store)).unwrap_err();
    assert!(error.to_string().contains("its hash is not"), "{error}");
}

fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    (any::<Vec<u8>>(), 0usize..300).prop_map(|(bytes, times)| bytes.repeat(times))
}

proptest! {
    #[test]
    fn any_body_comes_back(bodies in prop::collection::vec(repetitive(), 0..5), threshold: u8) {
        let store = Memory::default();
        let journal = compressed(&store).threshold(threshold.into());
        let records = suite::records(0, &bodies);
        try_append(&journal, records.clone()).unwrap();
        prop_assert_eq!(read(&journal).unwrap(), records);
        for (stored, body) in read(&store).unwrap().iter().zip(bodies) {
            prop_assert!(stored.body.len() <= body.len() + 1);
        }
    }

    #[test]
    fn any_bytes_are_a_body_or_an_error(
        mut body: Vec<u8>, at: prop::sample::Index, mask: u8, is_frame: bool,
    ) {
        if is_frame {
            body = frame(&body.repeat(99));
            let at = at.index(body.len());
            body[at] ^= mask;
        }
        let journal = compressed(&Memory::default()).bound(100_000);
        try_append(&journal.journal, suite::records(0, [body])).unwrap();
        if let Ok(records) = read(&journal) {
            prop_assert!(records[0].body.len() <= 100_000);
        }
    }
}
