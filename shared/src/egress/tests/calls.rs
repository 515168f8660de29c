use crate::retry::Transient;
use reqwest::{StatusCode, header::HeaderMap};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string, header, method, path, query_param},
};

use super::{super::redirect, *};

/// Both are the local server, under two origins.
pub(super) const HOST: &str = "demo.localhost";
const OTHER_HOST: &str = "other.localhost";

/// Never answers: whoever asks it has failed the test.
pub(super) fn no_lookup() -> Arc<ScriptedLookup> {
    ScriptedLookup::new(&[])
}

pub(super) fn egress(server: &MockServer) -> Egress {
    let hosts = [HOST, OTHER_HOST].map(|host| (host.to_owned(), *server.address()));
    let config = EgressConfig {
        host_overrides: HashMap::from(hosts),
        ..EgressConfig::default()
    };
    egress_with(config, no_lookup())
}

pub(super) async fn server(mocks: impl IntoIterator<Item = Mock>) -> MockServer {
    let server = MockServer::start().await;
    for mock in mocks {
        server.register(mock).await;
    }
    server
}

pub(super) fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

pub(super) fn redirect_to(location: &str) -> Mock {
    let response = ResponseTemplate::new(302).insert_header("location", location);
    Mock::given(path("/from")).respond_with(response)
}

async fn failure(mock: Mock) -> Unanswered {
    let server = server([mock]).await;
    egress(&server).send(get(&url("/from"))).await.unwrap_err()
}

#[tokio::test]
async fn a_call_sends_what_it_is_told_and_returns_the_answer() {
    let answer = ResponseTemplate::new(404)
        .set_body_string("gone")
        .append_header("x-a", "1")
        .append_header("x-a", "2");
    let expected = Mock::given(method("POST"))
        .and(path("/a"))
        .and(query_param("q", "ä &"))
        .and(query_param("p", "1"))
        .and(header("x-key", "k"))
        .and(body_string("hello"));
    let server = server([expected.respond_with(answer)]).await;
    let request = EgressRequest {
        method: Method::POST,
        headers: BTreeMap::from([("X-Key".to_owned(), "k".to_owned())]),
        query: BTreeMap::from([("q".to_owned(), "ä &".to_owned())]),
        body: Some(b"hello".to_vec()),
        ..get(&url("/a?p=1"))
    };
    let response = egress(&server).send(request).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (404, b"gone".as_slice())
    );
    assert_eq!(response.headers["x-a"], "1, 2");
    assert_eq!(response.url, "http://demo.localhost/a?p=1&q=%C3%A4+%26");
}

#[tokio::test]
async fn a_name_with_one_address_inside_is_refused() {
    for address in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"] {
        let lookup = ScriptedLookup::new(&[&["8.8.8.8", address]]);
        let egress = egress_with(EgressConfig::default(), lookup.clone());
        let error = egress
            .send(get("http://rebind.example.com/"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error.reason, Error::Forbidden { host, .. } if host == "rebind.example.com"),
            "{error:?}"
        );
        assert_eq!(lookup.calls(), 1);
        assert!(!error.is_transient());
    }
}

/// The client has no other resolver: were it to ask again for the connection, a second answer
/// could lead it inside.
#[tokio::test]
async fn a_name_is_looked_up_once() {
    let lookup = ScriptedLookup::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let egress = egress_with(EgressConfig::default(), lookup.clone());
    let error = egress
        .send(get("http://rebind.example.com/"))
        .await
        .unwrap_err();
    assert!(matches!(error.reason, Error::Connection(_)), "{error:?}");
    assert_eq!(lookup.calls(), 1);
}

#[tokio::test]
async fn a_literal_address_is_refused_without_a_look_up() {
    let lookup = ScriptedLookup::new(&[&["8.8.8.8"]]);
    let egress = egress_with(EgressConfig::default(), lookup.clone());
    let error = egress
        .send(get("http://169.254.169.254/"))
        .await
        .unwrap_err();
    assert!(matches!(error.reason, Error::Forbidden { .. }), "{error:?}");
    assert_eq!(lookup.calls(), 0);
}

#[tokio::test]
async fn an_unknown_name_is_a_transient_failure() {
    let egress = egress_with(EgressConfig::default(), no_lookup());
    let error = egress
        .send(get("http://unknown.example.com/?key=secret"))
        .await
        .unwrap_err();
    assert!(
        error.is_transient() && !format!("{error:?}").contains("secret"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "//127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://demo.localhost:22/",
    ] {
        let error = failure(redirect_to(location)).await;
        assert!(
            matches!(error.reason, Error::Forbidden { .. }),
            "{location}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_another_form_of_url_is_refused() {
    for location in [
        "file:///etc/passwd",
        "ftp://demo.localhost/",
        "http://user:secret@demo.localhost/",
    ] {
        let error = failure(redirect_to(location)).await;
        assert!(
            matches!(error.reason, Error::InvalidUrl(_)),
            "{location}: {error:?}"
        );
    }
}

#[tokio::test]
async fn five_redirects_are_followed_and_six_are_not() {
    let chain = |length: usize| {
        (0..length).map(|step| {
            let location = format!("/step/{}", step + 1);
            let response = ResponseTemplate::new(302).insert_header("location", location.as_str());
            Mock::given(path(format!("/step/{step}"))).respond_with(response)
        })
    };
    let short = server(chain(5)).await;
    let response = egress(&short).send(get(&url("/step/0"))).await.unwrap();
    assert_eq!(
        (response.status, response.url.as_str()),
        (404, "http://demo.localhost/step/5")
    );
    let long = server(chain(6)).await;
    let error = egress(&long).send(get(&url("/step/0"))).await.unwrap_err();
    assert!(matches!(error.reason, Error::TooManyRedirects), "{error:?}");
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    for (location, keeps_credentials) in [("/to", true), ("http://other.localhost/to", false)] {
        let to = Mock::given(path("/to")).respond_with(ResponseTemplate::new(200));
        let server = server([redirect_to(location), to]).await;
        let headers = ["authorization", "cookie", "x-api-key", "accept"];
        let request = EgressRequest {
            headers: headers.map(|name| (name.to_owned(), "v".to_owned())).into(),
            ..get(&url("/from"))
        };
        egress(&server).send(request).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        let received = headers.map(|name| requests[1].headers.contains_key(name));
        assert_eq!(
            received,
            [
                keeps_credentials,
                keeps_credentials,
                keeps_credentials,
                true
            ]
        );
    }
}

#[tokio::test]
async fn a_redirected_post_becomes_a_get_or_stays() {
    for (status, expected) in [
        (301, "GET"),
        (302, "GET"),
        (303, "GET"),
        (307, "POST"),
        (308, "POST"),
    ] {
        let response = ResponseTemplate::new(status).insert_header("location", "/to");
        let server = server([Mock::given(path("/from")).respond_with(response)]).await;
        let request = EgressRequest {
            method: Method::POST,
            body: Some(b"body".to_vec()),
            ..get(&url("/from"))
        };
        egress(&server).send(request).await.unwrap();
        let second = &server.received_requests().await.unwrap()[1];
        assert_eq!(second.method.as_str(), expected, "{status}");
        assert_eq!(second.body.is_empty(), expected == "GET", "{status}");
    }
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let hop = Hop {
        method: Method::GET,
        url: parse_url("https://example.com/a").unwrap(),
        headers: HeaderMap::new(),
        body: None,
    };
    let follow = |location: &'static str| {
        let headers =
            HeaderMap::from_iter([(reqwest::header::LOCATION, location.parse().unwrap())]);
        redirect::next(&hop, StatusCode::FOUND, &headers)
    };
    assert!(matches!(
        follow("http://example.com/a"),
        Err(Error::Redirect(_))
    ));
    assert_eq!(
        follow("/b").unwrap().unwrap().url.as_str(),
        "https://example.com/b"
    );
    let unchanged = redirect::next(&hop, StatusCode::FOUND, &HeaderMap::new());
    assert!(unchanged.unwrap().is_none());
}

#[tokio::test]
async fn headers_of_the_connection_and_of_metadata_servers_are_refused() {
    let server = server([]).await;
    for (name, value) in [
        ("Metadata-Flavor", "Google"),
        ("metadata", "true"),
        ("X-aws-ec2-metadata-token-ttl-seconds", "60"),
        ("Host", "internal"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Proxy-Authorization", "Basic x"),
        ("a b", "v"),
        ("", "v"),
        ("x-a", "v\r\nmetadata-flavor: Google"),
        ("x-a\r\nmetadata-flavor", "Google"),
    ] {
        let request = EgressRequest {
            headers: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..get(&url("/a"))
        };
        let error = egress(&server).send(request).await.unwrap_err();
        assert!(
            matches!(error.reason, Error::InvalidHeader { .. }),
            "{name}: {error:?}"
        );
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_slow_answer_times_out() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(20));
    let server = server([Mock::given(path("/from")).respond_with(slow)]).await;
    let request = EgressRequest {
        timeout: Duration::from_millis(100),
        ..get(&url("/from"))
    };
    let error = egress(&server).send(request).await.unwrap_err();
    assert!(
        matches!(error.reason, Error::TimedOut) && error.is_transient(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_is_transient() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = EgressConfig {
        host_overrides: HashMap::from([(HOST.to_owned(), closed)]),
        ..EgressConfig::default()
    };
    let egress = egress_with(config, no_lookup());
    let error = egress.send(get(&url("/"))).await.unwrap_err();
    assert!(
        matches!(error.reason, Error::Connection(_)) && error.is_transient(),
        "{error:?}"
    );
    assert!(!error.may_have_reached);
}

#[tokio::test]
async fn a_call_tells_whether_it_may_have_reached_a_server() {
    let refused = egress_with(EgressConfig::default(), no_lookup());
    for url in [
        "http://169.254.169.254/",
        "http://unknown.example.com/",
        "file:///etc/passwd",
    ] {
        let error = refused.send(get(url)).await.unwrap_err();
        assert!(!error.may_have_reached, "{url}: {error:?}");
    }
    let silent = ResponseTemplate::new(200).set_delay(Duration::from_secs(20));
    let server = server([
        redirect_to("http://169.254.169.254/"),
        Mock::given(path("/silent")).respond_with(silent),
    ])
    .await;
    for path in ["/from", "/silent"] {
        let request = EgressRequest {
            timeout: Duration::from_millis(100),
            ..get(&url(path))
        };
        let error = egress(&server).send(request).await.unwrap_err();
        assert!(error.may_have_reached, "{path}: {error:?}");
    }
}

/// Accepts one connection, reads from it and hangs up.
async fn hang_up(listener: tokio::net::TcpListener) {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut request = [0; 16];
    tokio::io::AsyncReadExt::read_exact(&mut connection, &mut request)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_reached_the_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = EgressConfig {
        host_overrides: HashMap::from([(HOST.to_owned(), address)]),
        ..EgressConfig::default()
    };
    let egress = egress_with(config, no_lookup());
    let (result, ()) = tokio::join!(egress.send(get(&url("/"))), hang_up(listener));
    let error = result.unwrap_err();
    assert!(matches!(error.reason, Error::Connection(_)), "{error:?}");
    assert!(error.may_have_reached && error.is_transient());
}

/// Calls a server in a process of its own, whose environment names a proxy.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let test = "egress::tests::calls::a_call_sends_what_it_is_told_and_returns_the_answer";
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", test]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        process.env(name, &url);
    }
    let output = process.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && report.contains("1 passed"),
        "{report}"
    );
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err());
}
