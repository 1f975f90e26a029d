//! The rules.

use std::error::Error;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::yield_now;

use super::CachePlace;
use crate::cache::{Cache, CacheKey};
use crate::error::chain;
use crate::journal::Json;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

pub(super) async fn a_key_that_nobody_put_is_a_miss(place: &impl CachePlace) {
    let cache = place.open().await;
    assert_eq!(get(&cache, &key("nobody")).await, None);
    put(&cache, &key("somebody"), b"x", HOUR).await;
    assert_eq!(get(&cache, &key("nobody")).await, None);
}

pub(super) async fn what_was_put_comes_back_byte_for_byte(place: &impl CachePlace) {
    let cache = place.open().await;
    let all: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 5] = [b"", b"\0", b"{}", b"\xff\xfe", &all];
    for (n, value) in values.into_iter().enumerate() {
        put(&cache, &key(&n.to_string()), value, HOUR).await;
    }
    for (n, value) in values.into_iter().enumerate() {
        let found = get(&cache, &key(&n.to_string())).await;
        assert_eq!(found.as_deref(), Some(value));
    }
}

pub(super) async fn what_was_put_is_there_after_reopening(place: &impl CachePlace) {
    let cache = place.open().await;
    put(&cache, &key("a"), b"1", HOUR).await;
    drop(cache);
    let cache = place.open().await;
    assert_eq!(get(&cache, &key("a")).await, Some(b"1".to_vec()));
}

pub(super) async fn a_value_of_ten_megabytes_comes_back(place: &impl CachePlace) {
    let cache = place.open().await;
    let large: Vec<u8> = (0..10_000_000u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    put(&cache, &key("large"), &large, HOUR).await;
    let found = get(&cache, &key("large")).await;
    assert!(found == Some(large), "it is another value");
}

pub(super) async fn two_handles_of_one_place_see_each_other(place: &impl CachePlace) {
    let (one, other) = (place.open().await, place.open().await);
    put(&one, &key("a"), b"1", HOUR).await;
    assert_eq!(get(&other, &key("a")).await, Some(b"1".to_vec()));
    put(&other, &key("a"), b"2", HOUR).await;
    assert_eq!(get(&one, &key("a")).await, Some(b"2".to_vec()));
    drop(one);
    assert_eq!(get(&other, &key("a")).await, Some(b"2".to_vec()));
}

pub(super) async fn what_is_over_is_a_miss(place: &impl CachePlace) {
    let cache = place.open().await;
    put(&cache, &key("short"), b"1", SECOND).await;
    put(&cache, &key("long"), b"2", HOUR).await;
    assert_eq!(get(&cache, &key("short")).await, Some(b"1".to_vec()));
    place.pass(SECOND + SECOND / 10).await;
    assert_eq!(get(&cache, &key("short")).await, None);
    assert_eq!(get(&cache, &key("long")).await, Some(b"2".to_vec()));

    drop(cache);
    let cache = place.open().await;
    assert_eq!(get(&cache, &key("short")).await, None, "after reopening");
    put(&cache, &key("short"), b"3", HOUR).await;
    assert_eq!(get(&cache, &key("short")).await, Some(b"3".to_vec()));
}

pub(super) async fn what_was_put_for_no_time_is_a_miss(place: &impl CachePlace) {
    let cache = place.open().await;
    put(&cache, &key("a"), b"1", Duration::ZERO).await;
    assert_eq!(get(&cache, &key("a")).await, None);
    // Not even what was there before.
    put(&cache, &key("a"), b"2", HOUR).await;
    put(&cache, &key("a"), b"3", Duration::ZERO).await;
    assert_eq!(get(&cache, &key("a")).await, None);
}

pub(super) async fn what_was_put_for_ever_stays(place: &impl CachePlace) {
    let cache = place.open().await;
    for (n, ttl) in [Duration::MAX, Duration::MAX / 2, HOUR * 24 * 365 * 1000]
        .into_iter()
        .enumerate()
    {
        put(&cache, &key(&n.to_string()), b"1", ttl).await;
        assert!(get(&cache, &key(&n.to_string())).await.is_some(), "{ttl:?}");
    }
    place.pass(SECOND).await;
    put(&cache, &key("more"), b"2", HOUR).await;
    for n in 0..3 {
        assert!(get(&cache, &key(&n.to_string())).await.is_some(), "{n}");
    }
}

pub(super) async fn a_put_replaces_the_value_and_its_time(place: &impl CachePlace) {
    let cache = place.open().await;
    put(&cache, &key("longer"), b"a long value", SECOND).await;
    put(&cache, &key("longer"), b"1", HOUR).await;
    put(&cache, &key("shorter"), b"2", HOUR).await;
    put(&cache, &key("shorter"), b"3", SECOND).await;
    assert_eq!(get(&cache, &key("longer")).await, Some(b"1".to_vec()));
    assert_eq!(get(&cache, &key("shorter")).await, Some(b"3".to_vec()));
    place.pass(SECOND + SECOND / 10).await;
    assert_eq!(get(&cache, &key("longer")).await, Some(b"1".to_vec()));
    assert_eq!(get(&cache, &key("shorter")).await, None);
}

pub(super) async fn keys_of_other_graphs_and_nodes_do_not_collide(place: &impl CachePlace) {
    // Put one after the other, many of these are the same text.
    let keys = [
        ("Desk", "node", "1"),
        ("Desk", "node", "11"),
        ("Desk", "node1", "1"),
        ("Desk", "nod", "1"),
        ("Deskn", "ode", "1"),
        ("Des", "knode", "1"),
        ("desk", "node", "1"),
        ("Desk", "Node", "1"),
        ("", "Desknode", "1"),
        ("Desknode", "", "1"),
        ("Desk", "node", "\"1\""),
        ("Desk", "node", "[1]"),
    ];
    let cache = place.open().await;
    let keys = keys.map(|(graph, node, json)| {
        let json = Json::from_text(json.to_owned());
        CacheKey::new(
            graph,
            node,
            &json.unwrap_or_else(|error| panic!("no JSON: {error}")),
        )
    });
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(get(&cache, key).await, None, "{key:?}");
        put(&cache, key, n.to_string().as_bytes(), HOUR).await;
    }
    for (n, key) in keys.iter().enumerate() {
        let found = get(&cache, key).await;
        assert_eq!(found, Some(n.to_string().into_bytes()), "{key:?}");
    }
}

pub(super) async fn a_key_can_be_any_text(place: &impl CachePlace) {
    let long = "n".repeat(100 * 1024);
    let longer = format!("{long}n");
    let texts = [
        "",
        " ",
        "A",
        "a",
        "a ",
        "%",
        "_",
        "a\0",
        "a\0b",
        "\0",
        "👩‍🚒",
        "é",
        "e\u{301}",
        "\u{10ffff}",
        "'; DROP TABLE result; --",
        "../../etc/passwd",
        &long,
        &longer,
    ];
    // As a key, which JSON escapes, and as the names of graph and node.
    let keys = texts.iter().flat_map(|text| {
        let name = *text;
        [
            key(text),
            CacheKey::new("Desk", name, &json("1")),
            CacheKey::new(name, "node", &json("1")),
        ]
    });
    let keys: Vec<_> = keys.collect();
    let cache = place.open().await;
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(get(&cache, key).await, None, "{n}: {key:?}");
        put(&cache, key, n.to_string().as_bytes(), HOUR).await;
    }
    drop(cache);
    let cache = place.open().await;
    for (n, key) in keys.iter().enumerate() {
        let found = get(&cache, key).await;
        assert_eq!(found, Some(n.to_string().into_bytes()), "{key:?}");
    }
}

pub(super) async fn a_clear_forgets_what_it_names_and_nothing_else(place: &impl CachePlace) {
    let cache = place.open().await;
    let keys = [
        ("Desk", "a"),
        ("Desk", "b"),
        ("Des", "a"),
        ("desk", "a"),
        ("%", "_"),
    ]
    .map(|(graph, node)| CacheKey::new(graph, node, &json("1")));
    let left = async || {
        let found = join_all(keys.iter().map(|key| get(&cache, key))).await;
        found.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    for key in &keys {
        put(&cache, key, b"1", HOUR).await;
    }
    let clear = async |graph, node| unless_failed("clear", cache.clear(graph, node).await);
    for (graph, node) in [
        ("Desk", Some("c")),
        ("Nobody", None),
        ("%", Some("%")),
        ("", None),
    ] {
        clear(graph, node).await;
    }
    assert_eq!(left().await, [true; 5]);
    clear("Desk", Some("a")).await;
    assert_eq!(left().await, [false, true, true, true, true]);
    clear("Desk", None).await;
    assert_eq!(left().await, [false, false, true, true, true]);
    clear("%", None).await;
    assert_eq!(left().await, [false, false, true, true, false]);
}

pub(super) async fn what_is_read_during_puts_is_one_of_them_whole(place: &impl CachePlace) {
    let handles = [place.open().await, place.open().await];
    let key = key("one for all");
    let value = |writer: u8| vec![writer; 2000 + usize::from(writer)];
    let work = handles.iter().cycle().zip(0..8).map(|(cache, writer)| {
        let (key, value) = (&key, &value);
        async move {
            for _ in 0..10 {
                put(cache, key, &value(writer), HOUR).await;
                yield_now().await;
                if let Some(found) = get(cache, key).await {
                    assert!(found == value(found[0]), "a mixture of two values");
                }
            }
        }
    });
    join_all(work.collect::<Vec<_>>()).await;
}

fn key(text: &str) -> CacheKey {
    CacheKey::new("Desk", "node", &json(text))
}

fn json(text: &str) -> Json {
    unless_failed("write down a key for", Json::of(text))
}

async fn get(cache: &impl Cache, key: &CacheKey) -> Option<Vec<u8>> {
    unless_failed("read", cache.get(key).await)
}

async fn put(cache: &impl Cache, key: &CacheKey, value: &[u8], ttl: Duration) {
    unless_failed("write to", cache.put(key, value.to_vec(), ttl).await);
}

fn unless_failed<T, E: Error>(action: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("could not {action} the cache: {}", chain(&error)))
}
