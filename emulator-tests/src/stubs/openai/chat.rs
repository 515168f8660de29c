//! Chat completions, whole and streamed.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answers::ScriptedCall;
use super::quote::quote;

const ECHOED_WORDS: usize = 24;
const CHARACTERS_PER_TOKEN: usize = 4;
/// How much of a call's arguments is in a piece of a stream.
const ARGUMENT_CHARACTERS: usize = 8;

/// What a request asks.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) model: String,
    /// The last user message.
    pub(super) user: String,
    /// The system and developer messages.
    pub(super) system: String,
    /// The tools that are offered.
    tools: Vec<String>,
    /// What a tool came to, if that is the last message.
    told: Option<String>,
    wants_json: bool,
    tokens: usize,
}

/// What the model says.
#[derive(Debug)]
pub(super) enum Said {
    Text(String),
    Call(ScriptedCall),
}

/// An answer on the wire.
#[derive(Debug)]
pub(super) struct Completion {
    id: String,
    created: i64,
    model: String,
    content: String,
    call: Option<ScriptedCall>,
    finish_reason: &'static str,
    choices: u64,
    usage: Value,
}

impl Prompt {
    pub(super) fn of(body: &Value) -> Self {
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let by = |roles: &[&str]| -> Vec<String> {
            let is_by = |message: &&Value| roles.iter().any(|role| message["role"] == *role);
            messages.iter().filter(is_by).map(text).collect()
        };
        let tools = body["tools"].as_array().into_iter().flatten();
        let tools = tools.filter_map(|tool| tool["function"]["name"].as_str());
        let format = body["response_format"]["type"].as_str();
        Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            user: by(&["user"]).pop().unwrap_or_default(),
            system: by(&["system", "developer"]).join("\n"),
            tools: tools.map(str::to_owned).collect(),
            told: messages
                .last()
                .filter(|last| last["role"] == "tool")
                .map(text),
            wants_json: format.is_some_and(|kind| kind != "text"),
            tokens: messages.iter().map(|message| tokens(&text(message))).sum(),
        }
    }

    /// Whether a call of this tool makes sense.
    pub(super) fn may_call(&self, tool: &str) -> bool {
        self.told.is_none() && self.offers(tool)
    }

    /// Whether there is an end of this tool to answer from. Only one call is made at a time, so
    /// that the name is that of whatever is offered.
    pub(super) fn was_told_by(&self, tool: &str) -> bool {
        self.told.is_some() && self.offers(tool)
    }

    /// An answer out of what a tool has told.
    pub(super) fn quote(&self) -> String {
        quote(&self.user, self.told.as_deref().unwrap_or_default())
    }

    fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|offered| offered == tool)
    }

    /// A short answer that follows from the prompt alone.
    pub(super) fn echo(&self) -> String {
        let words: Vec<&str> = self.user.split_whitespace().collect();
        let start = words[..words.len().min(ECHOED_WORDS)].join(" ");
        let rest = if words.len() > ECHOED_WORDS {
            " …"
        } else {
            ""
        };
        if self.wants_json {
            return json!({ "summary": format!("{start}{rest}"), "words": words.len() })
                .to_string();
        }
        format!("The local model read {} words: {start}{rest}", words.len())
    }
}

impl Completion {
    pub(super) fn new(body: &Value, prompt: &Prompt, said: &Said, now: Timestamp) -> Self {
        let limit = ["max_completion_tokens", "max_tokens"];
        let limit = limit.iter().find_map(|name| body[*name].as_u64());
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let (content, finish_reason, call) = match said {
            Said::Text(text) => {
                let (text, reason) = cut(text, limit.unwrap_or(usize::MAX));
                (text, reason, None)
            }
            Said::Call(call) => (String::new(), "tool_calls", Some(call.clone())),
        };
        let choices = body["n"].as_u64().unwrap_or(1);
        let arguments = call.as_ref().map(ScriptedCall::text);
        let answered =
            tokens(arguments.as_ref().unwrap_or(&content)) * usize::try_from(choices).unwrap_or(1);
        let hash = hex(&Sha256::digest(format!("{body}{now}")));
        Self {
            id: format!("chatcmpl-{}", &hash[..24]),
            created: now.as_second(),
            model: prompt.model.clone(),
            content,
            call,
            finish_reason,
            choices,
            usage: json!({
                "prompt_tokens": prompt.tokens,
                "completion_tokens": answered,
                "total_tokens": prompt.tokens + answered,
                "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
                "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
            }),
        }
    }

    /// `chat.completion`.
    pub(super) fn whole(&self) -> Value {
        let choice = |index| {
            json!({
                "index": index,
                "message": self.message(),
                "logprobs": null,
                "finish_reason": self.finish_reason,
            })
        };
        let choices: Vec<Value> = (0..self.choices).map(choice).collect();
        let mut whole = self.object("chat.completion", choices);
        whole["usage"] = self.usage.clone();
        whole
    }

    /// The lines of the stream; usage comes last, and only on request.
    pub(super) fn events(&self, include_usage: bool) -> Vec<String> {
        let mut chunks = Vec::new();
        for index in 0..self.choices {
            chunks.push(self.chunk(index, &json!({ "role": "assistant", "content": "" }), None));
            for delta in self.deltas() {
                chunks.push(self.chunk(index, &delta, None));
            }
            chunks.push(self.chunk(index, &json!({}), Some(self.finish_reason)));
        }
        if include_usage {
            for chunk in &mut chunks {
                chunk["usage"] = Value::Null;
            }
            let mut last = self.object("chat.completion.chunk", Vec::new());
            last["usage"] = self.usage.clone();
            chunks.push(last);
        }
        let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
        events.chain(["data: [DONE]\n\n".to_owned()]).collect()
    }

    fn message(&self) -> Value {
        let Some(call) = &self.call else {
            return json!({ "role": "assistant", "content": self.content, "refusal": null });
        };
        let function = json!({ "name": call.name, "arguments": call.text() });
        let call = json!({ "id": self.call_id(), "type": "function", "function": function });
        json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": [call] })
    }

    fn deltas(&self) -> Vec<Value> {
        let Some(call) = &self.call else {
            let pieces = self.content.split_inclusive(' ');
            return pieces.map(|piece| json!({ "content": piece })).collect();
        };
        let function = json!({ "name": call.name, "arguments": "" });
        let first = json!({
            "index": 0,
            "id": self.call_id(),
            "type": "function",
            "function": function,
        });
        let text: Vec<char> = call.text().chars().collect();
        let pieces = text.chunks(ARGUMENT_CHARACTERS);
        let pieces = pieces.map(|piece| {
            let piece: String = piece.iter().collect();
            json!({ "index": 0, "function": { "arguments": piece } })
        });
        let calls = [first].into_iter().chain(pieces);
        calls.map(|call| json!({ "tool_calls": [call] })).collect()
    }

    fn call_id(&self) -> String {
        self.id.replace("chatcmpl-", "call_")
    }

    fn chunk(&self, index: u64, delta: &Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({
            "index": index,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        });
        self.object("chat.completion.chunk", vec![choice])
    }

    fn object(&self, kind: &str, choices: Vec<Value>) -> Value {
        json!({
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_local",
            "choices": choices,
        })
    }
}

impl ScriptedCall {
    /// The arguments as the model writes them.
    fn text(&self) -> String {
        self.arguments.to_string()
    }
}

/// An estimate that is never zero: a word or four characters, whichever gives more.
pub(super) fn tokens(text: &str) -> usize {
    let by_characters = text.chars().count().div_ceil(CHARACTERS_PER_TOKEN);
    by_characters.max(text.split_whitespace().count()).max(1)
}

/// The text of a message; parts that are not text are left out.
fn text(message: &Value) -> String {
    if let Some(text) = message["content"].as_str() {
        return text.to_owned();
    }
    let parts = message["content"].as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n")
}

/// As many whole words as the limit allows, and why the text ends.
fn cut(content: &str, limit: usize) -> (String, &'static str) {
    if tokens(content) <= limit {
        return (content.to_owned(), "stop");
    }
    let mut kept = String::new();
    for word in content.split_inclusive(' ') {
        if tokens(&format!("{kept}{word}")) > limit {
            break;
        }
        kept.push_str(word);
    }
    (kept, "length")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
