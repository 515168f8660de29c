//! What of `google/pubsub/v1/pubsub.proto` is spoken here, and how gRPC frames it.

use std::collections::HashMap;

use axum::body::Bytes;

/// Before each message: whether it is compressed, and its length
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>).
const PREFIX_LEN: usize = 5;

/// `PubsubMessage`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) data: Vec<u8>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) attributes: HashMap<String, String>,
}

/// `PublishRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PublishRequest {
    #[prost(string, tag = "1")]
    pub(super) topic: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) messages: Vec<Message>,
}

/// `PublishResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PublishResponse {
    #[prost(string, repeated, tag = "1")]
    pub(super) message_ids: Vec<String>,
}

/// The only message of a call, uncompressed.
pub(super) fn read<M: prost::Message + Default>(body: &[u8]) -> Option<M> {
    let (prefix, message) = body.split_at_checked(PREFIX_LEN)?;
    let [0, a, b, c, d] = *prefix else {
        return None;
    };
    let len = u32::from_be_bytes([a, b, c, d]);
    (usize::try_from(len) == Ok(message.len()))
        .then(|| M::decode(message).ok())
        .flatten()
}

/// A message of an answer.
pub(super) fn write<M: prost::Message>(message: &M) -> Bytes {
    let message = message.encode_to_vec();
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = vec![0];
    framed.extend(len.to_be_bytes());
    framed.extend(message);
    framed.into()
}
