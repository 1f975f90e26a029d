use handoffs::prelude::*;

#[derive(State, Clone)]
struct Ticket {
    messages: Log<String>,
}

#[node(Ticket)]
async fn triage() {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

struct Billing {
    shared: std::rc::Rc<u32>,
}

#[node(Ticket)]
impl Billing {
    async fn run(&self) {}
}

fn main() {}
