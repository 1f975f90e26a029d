use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[node(Ticket)]
async fn a_number() -> u32 {
    0
}

struct NoError;

#[node(Ticket)]
async fn an_error_that_is_none() -> Result<(), NoError> {
    Ok(())
}

#[node(Ticket)]
async fn a_result_of_a_number() -> Result<u32, std::io::Error> {
    Ok(0)
}

#[node(Ticket)]
async fn an_option() -> Option<()> {
    None
}

enum NotDerived {
    Done,
}

#[node(Ticket)]
async fn an_enum() -> NotDerived {
    NotDerived::Done
}

fn main() {}
