use super::*;

#[test]
fn a_route_is_shown_as_it_is_written() {
    let plain = Route::to("d");
    assert_eq!(plain.to_string(), "d");
    assert_eq!(plain.clone().limit(2).to_string(), "d(limit = 2)");
    assert_eq!(
        plain.clone().approve("f").limit(2).or_else("x").to_string(),
        "d(limit = 2, approve = f, else = x)"
    );
    assert_eq!(plain.or_end().to_string(), "d(else = end)");

    let all = Route::all(["a", "b"], "d");
    assert_eq!(all.to_string(), "all(a, b) join d");
    assert_eq!(
        all.limit(2).or_else("x").concurrency(8).to_string(),
        "all(a, b) join d(limit = 2, else = x, concurrency = 8)"
    );
    let each = Route::each("questions", "research", "d");
    assert_eq!(each.to_string(), "each(questions) research join d");
    assert_eq!(Route::all([], "d").to_string(), "all() join d");
}

#[test]
fn an_approved_route_keeps_its_question_when_it_is_renamed() {
    let pay = Route::to(3).limit(2).or_end().approve("crate::refund");
    assert_eq!(pay.map(|_| "pay").approval(), Some("crate::refund"));
    assert_eq!(Route::to(3).approval(), None);
}

#[test]
fn every_node_of_a_fork_is_renamed() {
    let named = Route::all([1, 2], 3)
        .or_else(4)
        .map(|node| format!("n{node}"));
    assert_eq!(named.to_string(), "all(n1, n2) join n3(else = n4)");
    let named = Route::each("items", 1, 3).map(|node| format!("n{node}"));
    assert_eq!(named.to_string(), "each(items) n1 join n3");
}

#[test]
fn concurrency_means_nothing_where_nothing_forks() {
    assert_eq!(Route::to("d").concurrency(8), Route::to("d"));
}
