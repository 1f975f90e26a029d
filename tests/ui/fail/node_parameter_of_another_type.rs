use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    account: Option<String>,
    count: u32,
}

#[node(Ticket)]
async fn reads(_count: &u64) {}

#[node(Ticket)]
async fn writes(_count: &mut u64) {}

#[node(Ticket)]
async fn reads_an_option(_account: &u32) {}

#[node(Ticket)]
async fn writes_an_option(_account: &mut Option<u32>) {}

#[node(Ticket)]
async fn reads_a_log(_messages: &Vec<String>) {}

#[node(Ticket)]
async fn gives_another_type(_account: Out<'_, u32>) {}

#[node(Ticket)]
async fn gives_what_is_always_set(_count: Out<'_, u32>) {}

#[node(Ticket)]
async fn replaces_another_type(_count: Replace<'_, u64>) {}

#[node(Ticket)]
async fn replaces_what_is_in_an_option(_account: Replace<'_, String>) {}

#[node(Ticket)]
async fn reads_no_type(_count: &Missing) {}

fn main() {}
