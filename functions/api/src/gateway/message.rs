//! Messages as OpenAI has them: `ChatCompletionRequestMessage`.

use std::collections::HashMap;

use serde::{Deserialize, de::IgnoredAny};
use shared::llm::{Image, ImageDetail, ImageSource, Message, Part, Role, ToolCall};

use super::refuse;
use crate::error::Problem;

/// Media types that every provider takes.
const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// One message of the conversation.
#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum MessageBody {
    #[serde(alias = "developer")]
    System {
        content: Content,
        #[serde(rename = "name")]
        _name: Option<IgnoredAny>,
    },
    User {
        content: Content,
        #[serde(rename = "name")]
        _name: Option<IgnoredAny>,
    },
    Assistant {
        #[serde(default)]
        content: Option<Content>,
        #[serde(default)]
        tool_calls: Option<Vec<ToolCallBody>>,
        #[serde(default)]
        refusal: Option<String>,
        /// Both come back with answers, and are empty there.
        #[serde(default)]
        annotations: Option<Vec<serde_json::Value>>,
        #[serde(default)]
        audio: Option<serde_json::Value>,
        #[serde(default)]
        function_call: Option<serde_json::Value>,
        #[serde(rename = "name")]
        _name: Option<IgnoredAny>,
    },
    Tool {
        content: Content,
        tool_call_id: String,
    },
}

/// Text, or parts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<PartBody>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum PartBody {
    Text { text: String },
    ImageUrl { image_url: ImageBody },
    Refusal { refusal: String },
}

#[derive(Deserialize)]
pub(super) struct ImageBody {
    url: String,
    #[serde(default)]
    detail: Option<DetailBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DetailBody {
    Auto,
    Low,
    High,
}

#[derive(Deserialize)]
pub(super) struct ToolCallBody {
    id: String,
    function: FunctionBody,
}

#[derive(Deserialize)]
struct FunctionBody {
    name: String,
    arguments: String,
}

/// The conversation. Results of tools are given the names of the calls that they answer.
pub(super) fn conversation(messages: Vec<MessageBody>) -> Result<Vec<Message>, Problem> {
    if messages.is_empty() {
        return refuse("messages", "must not be empty");
    }
    let mut names = HashMap::new();
    let messages = messages.into_iter().enumerate();
    let messages = messages.map(|(number, message)| {
        let place = format!("messages[{number}]");
        let message = message.read(&place, &names)?;
        for part in &message.parts {
            if let Part::ToolCall(call) = part {
                names.insert(call.id.clone(), call.name.clone());
            }
        }
        match message.parts.is_empty() {
            true => refuse(format!("{place}.content"), "must not be empty"),
            false => Ok(message),
        }
    });
    messages.collect()
}

impl MessageBody {
    fn read(self, place: &str, names: &HashMap<String, String>) -> Result<Message, Problem> {
        let content_place = format!("{place}.content");
        let (role, parts) = match self {
            Self::System { content, .. } => (Role::System, content.texts(&content_place)?),
            Self::User { content, .. } => (Role::User, content.parts(&content_place)?),
            Self::Tool {
                content,
                tool_call_id,
            } => {
                let Some(name) = names.get(&tool_call_id) else {
                    let field = format!("{place}.tool_call_id");
                    return refuse(field, "must be the id of an earlier tool call");
                };
                let result = Part::ToolResult {
                    call_id: tool_call_id,
                    name: name.clone(),
                    content: text_of(content.texts(&content_place)?),
                };
                (Role::Tool, vec![result])
            }
            Self::Assistant {
                content,
                tool_calls,
                refusal,
                annotations,
                audio,
                function_call,
                ..
            } => {
                let is_plain = annotations.is_none_or(|list| list.is_empty())
                    && audio.is_none()
                    && function_call.is_none();
                if !is_plain {
                    return refuse(place, "has parts that are not taken here");
                }
                let mut parts = match content {
                    Some(content) => content.texts(&content_place)?,
                    None => refusal.into_iter().map(Part::Text).collect(),
                };
                let calls = tool_calls.into_iter().flatten();
                parts.extend(calls.map(|call| Part::ToolCall(call.into())));
                (Role::Assistant, parts)
            }
        };
        Ok(Message { role, parts })
    }
}

impl Content {
    fn parts(self, place: &str) -> Result<Vec<Part>, Problem> {
        let parts = match self {
            Self::Text(text) => vec![PartBody::Text { text }],
            Self::Parts(parts) => parts,
        };
        let parts = parts.into_iter().enumerate().map(|(number, part)| {
            Ok(match part {
                PartBody::Text { text } | PartBody::Refusal { refusal: text } => Part::Text(text),
                PartBody::ImageUrl { image_url } => {
                    let place = format!("{place}[{number}].image_url.url");
                    Part::Image(Image {
                        source: source(image_url.url, &place)?,
                        detail: image_url.detail.and_then(DetailBody::read),
                    })
                }
            })
        });
        let is_something =
            |part: &Result<Part, Problem>| !matches!(part, Ok(Part::Text(text)) if text.is_empty());
        parts.filter(is_something).collect()
    }

    /// Parts that are texts, all of them.
    fn texts(self, place: &str) -> Result<Vec<Part>, Problem> {
        let parts = self.parts(place)?;
        match parts.iter().all(|part| matches!(part, Part::Text(_))) {
            true => Ok(parts),
            false => refuse(place, "must be text"),
        }
    }
}

impl DetailBody {
    fn read(self) -> Option<ImageDetail> {
        match self {
            Self::Auto => None,
            Self::Low => Some(ImageDetail::Low),
            Self::High => Some(ImageDetail::High),
        }
    }
}

impl From<ToolCallBody> for ToolCall {
    fn from(body: ToolCallBody) -> Self {
        Self {
            id: body.id,
            name: body.function.name,
            arguments: body.function.arguments,
            ..Self::default()
        }
    }
}

fn text_of(parts: Vec<Part>) -> String {
    let texts = parts.into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    texts.collect()
}

/// `data:image/png;base64,…`, or an address that the provider fetches.
fn source(url: String, place: &str) -> Result<ImageSource, Problem> {
    if url.starts_with("https://") {
        return Ok(ImageSource::Url(url));
    }
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, base64)) if IMAGE_TYPES.contains(&media_type) => Ok(ImageSource::Data {
            media_type: media_type.to_owned(),
            base64: base64.to_owned(),
        }),
        _ => refuse(
            place,
            "must be https, or a PNG, JPEG, GIF or WebP as a data URL",
        ),
    }
}
