use super::*;

const GAPS: Gaps = Gaps {
    x: 10.0,
    y: 10.0,
    lane: 2.0,
};

fn link(from: usize, to: usize) -> Link {
    Link {
        from,
        to,
        label: None,
        is_back: false,
        aside: (0.0, 0.0),
    }
}

#[test]
fn a_chain_is_straight_and_leads_down() {
    let sketch = Sketch {
        sizes: vec![(40.0, 20.0), (80.0, 20.0), (40.0, 20.0)],
        links: vec![link(0, 1), link(1, 2)],
    };
    let layout = layout(&sketch, GAPS);
    let xs: Vec<_> = layout.centers.iter().map(|(x, _)| x.round()).collect();
    assert_eq!(xs, [40.0, 40.0, 40.0]);
    assert!(layout.centers.is_sorted_by(|a, b| a.1 < b.1));
}

#[test]
fn a_cycle_that_nobody_named_is_broken_all_the_same() {
    let sketch = Sketch {
        sizes: vec![(10.0, 10.0); 3],
        links: vec![link(0, 1), link(1, 2), link(2, 0), link(0, 1)],
    };
    let layout = layout(&sketch, GAPS);
    // From below to above, past the vertex between: through five layers.
    assert_eq!(layout.lanes[2].len(), 3);
    assert!(layout.lanes[2].is_sorted_by(|a, b| a.top > b.top));
}

#[test]
fn nothing_overlaps_in_a_layer() {
    let labelled = |from, to| Link {
        label: Some((30.0, 12.0)),
        ..link(from, to)
    };
    let sketch = Sketch {
        sizes: vec![(30.0, 10.0); 6],
        links: (1..5)
            .flat_map(|at| [labelled(0, at), link(at, 5)])
            .collect(),
    };
    let layout = layout(&sketch, GAPS);
    let mut xs: Vec<_> = (1..5).map(|at| layout.centers[at].0).collect();
    xs.sort_by(f64::total_cmp);
    assert!(xs.windows(2).all(|pair| pair[1] - pair[0] > 39.9), "{xs:?}");
    assert!(
        layout
            .lanes
            .iter()
            .step_by(2)
            .all(|lanes| lanes[0].is_label)
    );
}

#[test]
fn an_empty_sketch_is_an_empty_picture() {
    assert_eq!(layout(&Sketch::default(), GAPS).size, (0.0, 0.0));
}
