//! Draws sketches at random.

use proptest::prelude::*;

use super::{Arrow, Does, Fork, Sketch};

/// The shape of a region: how many lanes, of how many nodes, and where it hangs.
#[derive(Clone, Debug)]
struct Draft {
    lanes: Vec<usize>,
    each: bool,
    parent: prop::sample::Index,
    from: prop::sample::Index,
    join: prop::sample::Index,
    steps: Vec<Pick>,
    arrivals: Vec<Pick>,
    mixed: bool,
}

#[derive(Clone, Debug)]
struct Pick {
    from: prop::sample::Index,
    to: prop::sample::Index,
    gives: [bool; 2],
    failed: bool,
}

fn gives() -> impl Strategy<Value = [bool; 2]> {
    prop::array::uniform2(prop::bool::weighted(0.15))
}

fn pick() -> impl Strategy<Value = Pick> {
    let ends = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (ends, gives(), prop::bool::weighted(0.1)).prop_map(|((from, to), gives, failed)| Pick {
        from,
        to,
        gives: gives.map(|gives| gives && !failed),
        failed,
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let index = any::<prop::sample::Index>;
    let lanes = prop::collection::vec(1..3_usize, 1..4);
    let places = (index(), index(), index());
    let picks = prop::collection::vec(pick(), 0..5);
    let arrivals = prop::collection::vec(pick(), 1..4);
    let flags = (any::<bool>(), prop::bool::weighted(0.2));
    (lanes, places, picks, arrivals, flags).prop_map(
        |(lanes, (parent, from, join), steps, arrivals, (each, mixed))| Draft {
            lanes,
            each,
            parent,
            from,
            join,
            steps,
            arrivals,
            mixed,
        },
    )
}

pub(super) fn sketch() -> impl Strategy<Value = Sketch> {
    let does = prop_oneof![
        4 => Just(Does::Nothing),
        1 => Just(Does::Write),
        1 => Just(Does::Need),
        1 => Just(Does::Change),
        1 => Just(Does::Give),
    ];
    let nodes = prop::collection::vec(prop::array::uniform2(does), 32);
    let regions = prop::collection::vec(draft(), 1..5);
    let forks = prop::collection::vec(gives(), 5);
    let given = prop::array::uniform2(any::<bool>());
    (nodes, regions, forks, given).prop_map(|(mut nodes, drafts, gives, given)| {
        let mut regions: Vec<Vec<usize>> = Vec::new();
        let (mut steps, mut forks) = (Vec::new(), Vec::new());
        let mut count = 0;
        for (draft, gives) in drafts.iter().zip(gives) {
            let mut lanes: Vec<Vec<usize>> = Vec::new();
            for size in &draft.lanes {
                lanes.push((count..count + size).collect());
                count += size;
            }
            let all: Vec<usize> = lanes.concat();
            // The top region is one lane, so that all of it may be reached.
            if regions.is_empty() || draft.mixed {
                lanes = vec![all.clone()];
            }
            for lane in &lanes {
                // Each lane is a chain to begin with.
                for pair in lane.windows(2) {
                    steps.push(Arrow {
                        from: pair[0],
                        to: pair[1],
                        gives: [false; 2],
                        failed: false,
                    });
                }
            }
            for pick in &draft.steps {
                let from = *pick.from.get(&all);
                let lane = lanes.iter().find(|lane| lane.contains(&from));
                let to = *pick.to.get(lane.unwrap_or(&all));
                steps.push(pick.arrow(from, to));
            }
            if !regions.is_empty() {
                let parent = draft.parent.get(&regions);
                let to = *draft.join.get(parent);
                let last = lanes.iter().filter_map(|lane| lane.last());
                let last = last.map(|from| Arrow {
                    from: *from,
                    to,
                    gives: [false; 2],
                    failed: false,
                });
                let mut arrivals: Vec<_> = last.collect();
                for pick in &draft.arrivals {
                    arrivals.push(pick.arrow(*pick.from.get(&all), to));
                }
                let entries = lanes.iter().map(|lane| lane[0]);
                forks.push(Fork {
                    from: *draft.from.get(parent),
                    to,
                    gives,
                    each: draft.each,
                    entries: entries.take(if draft.each { 1 } else { 3 }).collect(),
                    arrivals,
                });
            }
            regions.push(all);
        }
        nodes.truncate(count);
        Sketch {
            nodes,
            steps,
            forks,
            given,
        }
    })
}

impl Pick {
    fn arrow(&self, from: usize, to: usize) -> Arrow {
        Arrow {
            from,
            to,
            gives: self.gives,
            failed: self.failed,
        }
    }
}
