use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(State, Clone, Serialize, Deserialize)]
struct Ticket {
    #[serde(skip)]
    cache: u32,
    #[serde(default, with = "text")]
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    account: Option<String>,
    #[serde(flatten)]
    rest: Rest,
    #[serde(rename = "messages", default)]
    log: Log<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Rest {
    count: u32,
}

mod text {
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(_: D) -> Result<u32, D::Error> {
        Ok(0)
    }
}

fn main() {}
