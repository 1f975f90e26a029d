//! The rules of appending.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::{join_all, poll_fn};

use super::{Place, bodies, records};
use crate::journal::{Journal, JournalError, ThreadId};

pub(crate) async fn bytes_are_read_back_as_they_were_written_after_reopening(place: &impl Place) {
    let thread = ThreadId::new("t");
    let every_byte: Vec<u8> = (0..=255).collect();
    let written = records(
        0,
        [
            Vec::new(),
            every_byte.repeat(4096),
            every_byte,
            b"{\"a\":\"\\u0000\"}".to_vec(),
        ],
    );
    let journal = place.open().await;
    journal.append(&thread, 0, written.clone()).await.unwrap();
    assert_eq!(journal.read(&thread, 0).await.unwrap(), written);
    drop(journal);

    let journal = place.open().await;
    assert_eq!(journal.read(&thread, 0).await.unwrap(), written);
    journal
        .append(&thread, 4, records(4, ["goes on"]))
        .await
        .unwrap();
}

pub(crate) async fn an_append_of_several_records_is_whole(place: &impl Place) {
    let thread = ThreadId::new("t");
    let journal = place.open().await;
    journal
        .append(&thread, 0, records(0, ["1", "2", "3"]))
        .await
        .unwrap();
    // These overlap with what is there, so none of them may be written, not even number 4.
    let late = journal.append(&thread, 2, records(2, ["3b", "4b"])).await;
    assert!(late.unwrap_err().is_conflict());
    journal
        .append(&thread, 3, records(3, ["4", "5"]))
        .await
        .unwrap();
    assert_eq!(bodies(&journal, &thread).await, ["1", "2", "3", "4", "5"]);
}

pub(crate) async fn an_append_at_a_wrong_head_conflicts_and_writes_nothing(place: &impl Place) {
    let journal = place.open().await;
    let (known, unknown) = (ThreadId::new("known"), ThreadId::new("unknown"));
    journal
        .append(&known, 0, records(0, ["1", "2"]))
        .await
        .unwrap();
    let far = i64::MAX.unsigned_abs();
    for (thread, head) in [
        (&known, 0),
        (&known, 1),
        (&known, 3),
        (&known, far),
        (&unknown, 1),
        (&unknown, far + 7),
    ] {
        let error = journal
            .append(thread, head, records(head, ["no"]))
            .await
            .unwrap_err();
        match error {
            JournalError::Conflict {
                thread: named,
                expected,
                ..
            } => {
                assert_eq!((&named, expected), (thread, head));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(bodies(&journal, &known).await, ["1", "2"]);
    assert_eq!(journal.threads().await.unwrap(), [known]);
}

pub(crate) async fn an_append_of_no_records_only_checks_the_head(place: &impl Place) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    journal.append(&thread, 0, Vec::new()).await.unwrap();
    assert!(journal.threads().await.unwrap().is_empty());
    assert!(
        journal
            .append(&thread, 1, Vec::new())
            .await
            .unwrap_err()
            .is_conflict()
    );
}

pub(crate) async fn records_with_wrong_numbers_are_refused(place: &impl Place) {
    let journal = place.open().await;
    let thread = ThreadId::new("t");
    let mut gap = records(0, ["1", "2"]);
    gap[1].seq = 3;
    for (wrong, seq) in [(gap, 3), (records(1, ["2"]), 2), (records(4, ["5"]), 5)] {
        let error = journal.append(&thread, 0, wrong).await.unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { seq: named, .. } if named == seq),
            "{error}"
        );
    }
    assert!(journal.read(&thread, 0).await.unwrap().is_empty());
}

pub(crate) async fn of_sixteen_appends_at_one_head_exactly_one_wins(place: &impl Place) {
    let journal = Arc::new(place.open().await);
    let thread = ThreadId::new("t");
    for head in (0..20).step_by(2) {
        let appends = (0..16).map(|worker| {
            let (journal, thread) = (journal.clone(), thread.clone());
            let body = worker.to_string();
            let new = records(head, [&body, &body]);
            tokio::spawn(async move { journal.append(&thread, head, new).await })
        });
        let answers: Vec<_> = join_all(appends)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let winners: Vec<_> = (0..16).filter(|worker| answers[*worker].is_ok()).collect();
        assert_eq!(winners.len(), 1, "at {head}");
        let conflicts = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(conflicts.into_iter().all(JournalError::is_conflict));
        let written = journal.read(&thread, head).await.unwrap();
        assert_eq!(
            written,
            records(head, [winners[0].to_string(), winners[0].to_string()])
        );
    }
}

pub(crate) async fn sixteen_workers_that_try_again_all_get_through(place: &impl Place) {
    let journal = Arc::new(place.open().await);
    let thread = ThreadId::new("t");
    let workers = (0..16).map(|worker| {
        let (journal, thread) = (journal.clone(), thread.clone());
        tokio::spawn(async move {
            let body = worker.to_string();
            let mut head = 0;
            // Whoever conflicts has lost against one of the others, so each is through at the 16th time.
            for _ in 0..16 {
                match journal.append(&thread, head, records(head, [&body])).await {
                    Ok(()) => return,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
                head += journal.read(&thread, head).await.unwrap().len() as u64;
            }
            panic!("worker {worker} conflicts with nobody");
        })
    });
    join_all(workers).await.into_iter().for_each(Result::unwrap);
    let mut written = bodies(&*journal, &thread).await;
    written.sort_by_key(|body| body.parse::<u8>().unwrap());
    assert_eq!(
        written,
        (0..16).map(|worker| worker.to_string()).collect::<Vec<_>>()
    );
}

pub(crate) async fn a_dropped_append_leaves_all_or_nothing(place: &impl Place) {
    let journal = place.open().await;
    for polls in 0..32 {
        let thread = ThreadId::new(format!("dropped after {polls} polls"));
        {
            let mut append = pin!(journal.append(&thread, 0, records(0, ["1", "2", "3"])));
            for _ in 0..polls {
                if poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx)))
                    .await
                    .is_ready()
                {
                    break;
                }
            }
        }
        // Whatever it left, the thread goes on behind it. It may be written after the first read, but
        // not after that.
        let mut conflicts = 0;
        loop {
            let head = journal.read(&thread, 0).await.unwrap().len() as u64;
            match journal.append(&thread, head, records(head, ["next"])).await {
                Ok(()) => break,
                Err(error) => assert!(error.is_conflict(), "{error}"),
            }
            conflicts += 1;
            assert_eq!(conflicts, 1);
        }
        let left = bodies(&journal, &thread).await;
        assert!(
            left == ["next"] || left == ["1", "2", "3", "next"],
            "{left:?}"
        );
    }
}
