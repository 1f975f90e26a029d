//! All that a node may be, take and return.
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications)]

use std::error::Error;
use std::marker::PhantomData;

use handoffs::prelude::*;

#[derive(State, Clone, Debug, Default)]
struct Ticket {
    name: String,
    items: Vec<u8>,
    account: Option<String>,
    shared: Option<std::sync::Arc<str>>,
    messages: Log<String>,
}

#[derive(Outcome)]
enum Done {
    Yes,
    No,
}

#[node(Ticket)]
fn plain() {}

#[node(Ticket)]
fn sync_with_outcome(_name: &str, _items: &[u8]) -> Done {
    Done::Yes
}

#[node(Ticket)]
async fn only_an_error() -> Result<(), Box<dyn Error + Send + Sync>> {
    Err("no".into())
}

#[node(Ticket)]
async fn a_text_as_an_error(_account: &str) -> Result<Done, &'static str> {
    Ok(Done::No)
}

#[node(Ticket)]
async fn a_string_as_an_error(mut account: Out<'_, String>) -> Result<Done, String> {
    account.set("Ada".to_owned());
    Ok(Done::No)
}

#[node(Ticket)]
async fn with_a_lifetime<'a>(name: &'a str, messages: &mut Log<String>, cx: &mut Context<'_>) {
    messages.push(format!("{name} at {}", cx.node()));
}

#[node(Ticket)]
async fn whole_options(_account: &Option<String>, shared: &mut Option<std::sync::Arc<str>>) {
    *shared = Some("here".into());
}

#[node(Ticket)]
async fn on_an_item(_item: Vec<u8>, mut name: Replace<'_, String>) -> Done {
    name.get_mut().push('!');
    Done::No
}

#[node(Ticket)]
fn on_an_item_taken_apart((first, _): (u8, u8), items: &mut Vec<u8>) {
    items.push(first);
}

struct OnAny<T>(PhantomData<fn() -> T>);

#[node(Ticket)]
impl<T> OnAny<T>
where
    T: Clone + serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    async fn run(&self, _item: T, _messages: Replace<'_, Log<String>>) {}
}

fn is_worker<W: handoffs::Worker<Ticket, Item = I>, I>(_: W) {}

struct Borrowing<'a, T, const N: usize> {
    types: PhantomData<fn(&'a T)>,
}

#[node(Ticket)]
impl<T: 'static, const N: usize> Borrowing<'static, T, N> {
    async fn run(&self, _messages: &Log<String>) -> Result<Done, std::io::Error> {
        self.help();
        Ok(Done::Yes)
    }

    fn help(&self) {
        let _ = self.types;
    }
}

#[derive(AgentGraph)]
#[graph(state = Ticket, start = plain)]
struct Desk {
    #[route(_ => sync_with_outcome)]
    plain: Plain,
    #[route(Done::Yes => only_an_error, Done::No => only_an_error)]
    sync_with_outcome: SyncWithOutcome,
    #[route(() => a_string)]
    only_an_error: OnlyAnError,
    #[route(Done::Yes | Done::No => a_text)]
    a_string: AStringAsAnError,
    #[route(_ => with_a_lifetime)]
    a_text: ATextAsAnError,
    #[route(_ => whole_options)]
    with_a_lifetime: WithALifetime,
    #[route(_ => borrowing)]
    whole_options: WholeOptions,
    #[route(done @ Done::Yes => end, Done::No => end)]
    borrowing: Borrowing<'static, u8, 3>,
}

fn main() {
    let desk = Desk {
        plain: Plain,
        sync_with_outcome: SyncWithOutcome,
        only_an_error: OnlyAnError,
        a_string: AStringAsAnError,
        a_text: ATextAsAnError,
        with_a_lifetime: WithALifetime,
        whole_options: WholeOptions,
        borrowing: Borrowing { types: PhantomData },
    };
    let _ = Runtime::new(desk);
    plain();
    is_worker::<_, Vec<u8>>(OnAnItem);
    is_worker::<_, (u8, u8)>(OnAnItemTakenApart);
    is_worker::<_, u16>(OnAny::<u16>(PhantomData));
}
