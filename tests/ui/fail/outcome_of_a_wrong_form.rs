use handoffs::prelude::*;

#[derive(Outcome)]
struct AStruct {
    reason: String,
}

#[derive(Outcome)]
union AUnion {
    number: u32,
}

#[derive(Outcome)]
enum WithoutVariants {}

struct NotSerialize;

#[derive(Outcome)]
enum WithAPayloadThatIsNotSerialize {
    Named { reason: NotSerialize, count: u32 },
    Unnamed(NotSerialize),
}

fn main() {}
