//! What a model reads of what comes from a server.

use rmcp::model::{CallToolResult, ContentBlock, InputRequest, ResourceContents};
use serde_json::Value;

/// Writes down the result of a call: its texts, and of what is no text what it is.
pub(crate) fn result(result: CallToolResult) -> String {
    let mut lines: Vec<_> = result.content.iter().map(block).collect();
    // Servers are asked to say what is structured as a text too; if they did, it is not said twice.
    if let Some(structured) = result.structured_content
        && !lines.iter().any(|line| says(line, &structured))
    {
        lines.push(structured.to_string());
    }
    lines.join("\n")
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => unseen("image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => unseen("sound", &audio.mime_type, &audio.data),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                ..
            } => {
                let kind = mime_type.as_deref().unwrap_or("data");
                format!("{uri} {}", unseen("file", kind, blob))
            }
            _ => "[content of a kind that cannot be shown]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => {
            let about = link.description.as_deref();
            let about = about.map(|about| format!(": {about}"));
            format!("[{}]({}){}", link.name, link.uri, about.unwrap_or_default())
        }
        _ => "[content of a kind that cannot be shown]".to_owned(),
    }
}

/// Says of something what it is and how large, as a text cannot show it.
fn unseen(what: &str, kind: &str, base64: &str) -> String {
    let bytes = base64.trim_end_matches('=').len() * 3 / 4;
    format!("[{what}, {kind}, {bytes} bytes, not shown]")
}

/// Returns whether a line is this value, or the only thing in it, as servers wrap what is no object.
fn says(line: &str, value: &Value) -> bool {
    let is = |value: &Value| match value {
        Value::String(text) => text == line,
        value => serde_json::from_str::<Value>(line).is_ok_and(|said| said == *value),
    };
    let wrapped = value.as_object().filter(|object| object.len() == 1);
    is(value)
        || wrapped
            .and_then(|object| object.get("result"))
            .is_some_and(is)
}

/// Says what a server wants to know that no person can answer.
pub(crate) fn question(request: &InputRequest) -> &'static str {
    match request {
        InputRequest::CreateMessage(_) => "what a model says",
        InputRequest::ListRoots(_) => "which folders it may use",
        _ => "something that nobody here can answer",
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::Resource;
    use serde_json::json;

    use super::*;

    fn read(blocks: Vec<ContentBlock>, structured: Option<Value>) -> String {
        let mut made = CallToolResult::success(blocks);
        made.structured_content = structured;
        result(made)
    }

    #[test]
    fn texts_are_read_as_they_are_one_below_the_other() {
        let blocks = vec![ContentBlock::text("one"), ContentBlock::text("two")];
        assert_eq!(read(blocks, None), "one\ntwo");
        let text = ContentBlock::embedded_text("file:///a", "three");
        assert_eq!(read(vec![text], None), "three");
        assert_eq!(read(Vec::new(), None), "");
    }

    #[test]
    fn what_is_structured_is_read_once() {
        let value = json!({ "sum": 7 });
        assert_eq!(read(Vec::new(), Some(value.clone())), r#"{"sum":7}"#);
        let same = vec![ContentBlock::text(r#"{ "sum": 7 }"#)];
        assert_eq!(read(same, Some(value.clone())), r#"{ "sum": 7 }"#);
        let other = vec![ContentBlock::text("It is seven.")];
        assert_eq!(read(other, Some(value)), "It is seven.\n{\"sum\":7}");
        let wrapped = vec![ContentBlock::text("seven")];
        assert_eq!(read(wrapped, Some(json!({ "result": "seven" }))), "seven");
    }

    #[test]
    fn of_what_is_no_text_it_is_said_what_it_is() {
        let image = ContentBlock::image("aGFsbG8=", "image/png");
        assert_eq!(
            read(vec![image], None),
            "[image, image/png, 5 bytes, not shown]"
        );
        let link = Resource::new("file:///a", "a").with_description("The plan");
        let link = ContentBlock::resource_link(link);
        assert_eq!(read(vec![link], None), "[a](file:///a): The plan");
    }
}
