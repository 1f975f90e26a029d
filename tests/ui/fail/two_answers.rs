use handoffs::prelude::*;

#[derive(Outcome)]
enum Told {
    #[outcome(answer)]
    Done(String),
    #[outcome(answer)]
    Guessed(String),
}

fn main() {}
