//! A server that answers as it is told, or not at all.

use std::future::Future;

use serde_json::{Map, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

/// A server that answers everything the same way.
pub(crate) async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(matchers::any()).respond_with(answer);
    mock.mount(&server).await;
    server
}

/// Adds an answer to a method and a path.
pub(crate) async fn answer(server: &MockServer, method: &str, path: &str, with: ResponseTemplate) {
    let mock = Mock::given(matchers::method(method)).and(matchers::path(path));
    mock.respond_with(with).mount(server).await;
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// All requests so far, as `POST /path`.
pub(crate) async fn calls(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let line = |request: &Request| format!("{} {}", request.method, request.url.path());
    requests.iter().map(line).collect()
}

/// The query of a request as an object of texts.
pub(crate) fn query(request: &Request) -> Value {
    let pairs = request.url.query_pairs();
    let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
    Value::Object(pairs.collect())
}

/// A form as an object of texts; each name is there once.
pub(crate) fn form(request: &Request) -> Map<String, Value> {
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(&request.body) {
        let before = fields.insert(name.into_owned(), Value::String(value.into_owned()));
        assert_eq!(before, None);
    }
    fields
}

/// What comes of a call to a server that takes one connection and then does this with it.
pub(crate) async fn against<T, F, Fut>(call: F, serve: impl AsyncFnOnce(TcpStream)) -> T
where
    F: FnOnce(String) -> Fut,
    Fut: Future<Output = T>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    };
    let (result, ()) = tokio::join!(call(base_url), serve);
    result
}

/// Reads the request and closes the connection.
pub(crate) async fn hang_up(mut stream: TcpStream) {
    stream
        .read_buf(&mut Vec::with_capacity(64 * 1024))
        .await
        .unwrap();
}

/// Begins an answer and closes the connection.
pub(crate) async fn break_off(mut stream: TcpStream) {
    stream
        .read_buf(&mut Vec::with_capacity(64 * 1024))
        .await
        .unwrap();
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"da";
    stream.write_all(begun).await.unwrap();
}

/// Reads until the caller has had enough.
pub(crate) async fn stay_silent(mut stream: TcpStream) {
    let mut request = Vec::new();
    while stream
        .read_buf(&mut request)
        .await
        .is_ok_and(|count| count > 0)
    {}
    assert!(!request.is_empty(), "nothing was asked");
}
