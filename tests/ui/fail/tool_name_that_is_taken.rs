use handoffs::prelude::*;

#[derive(Outcome)]
enum Triaged {
    HttpError,
    HTTPError,
    Billing,
}

fn main() {}
