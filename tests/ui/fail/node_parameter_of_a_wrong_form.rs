use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
    count: u32,
}

#[node(Ticket)]
async fn by_value(count: u32) {}

#[node(Ticket)]
async fn two_items(first: u32, (second, third): (u32, u32)) {}

#[node(Ticket)]
async fn borrowed_item(_first: Vec<&'static str>) {}

#[node(Ticket)]
async fn any_item(first: impl Clone) {}

#[node(Ticket)]
async fn by_pattern((a, b): &(u32, u32)) {}

#[node(Ticket)]
async fn unnamed(_: &u32) {}

#[node(Ticket)]
async fn twice(count: &u32, _count: &mut u32) {}

#[node(Ticket)]
async fn shared_context(cx: &Context<'_>) {}

#[node(Ticket)]
async fn two_contexts(cx: &mut Context<'_>, other: &mut Context<'_>) {}

#[node(Ticket)]
async fn owned_context(cx: Context<'_>) {}

#[node(Ticket)]
async fn out_by_reference(count: &mut Out<'_, u32>) {}

#[node(Ticket)]
async fn replace_by_reference(count: &Replace<'_, u32>) {}

#[node(Ticket)]
async fn replace_by_pattern((count): Replace<'_, u32>) {}

#[node(Ticket)]
async fn out_of_nothing(count: Out) {}

#[node(Ticket)]
async fn receiver(self, count: &u32) {}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = by_value)]
struct Desk {
    #[route(_ => by_pattern)]
    by_value: ByValue,
    #[route(_ => end)]
    by_pattern: ByPattern,
}

fn main() {}
