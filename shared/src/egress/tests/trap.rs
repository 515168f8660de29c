//! A listener on this machine that no workflow may reach, whatever URL it names.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use super::{
    addresses::{INSIDE_HOSTS, MALFORMED_URLS, V4, V6},
    calls::no_lookup,
    *,
};

const TRIES: usize = 1_000;

/// Counts the connections to any address of this machine at its port.
struct Trap {
    listener: TcpListener,
    port: u16,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
        let listener = listener.unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// Connections are made before anybody accepts them.
    fn connections(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }

    /// A guard that would let calls of public hosts reach the trap's port.
    fn egress(&self, lookup: Arc<dyn Lookup>) -> Egress {
        let config = EgressConfig {
            ports: [80, 443, self.port].into(),
            ..EgressConfig::default()
        };
        egress_with(config, lookup)
    }
}

async fn refuse(egress: &Egress, url: &str) {
    let request = EgressRequest {
        timeout: Duration::from_secs(1),
        ..get(url)
    };
    let error = egress.send(request).await.unwrap_err();
    assert!(
        matches!(error.reason, Error::Forbidden { .. } | Error::InvalidUrl(_)),
        "{url}: {error:?}"
    );
    assert!(!error.may_have_reached, "{url}");
}

#[tokio::test]
async fn the_trap_sees_who_comes() {
    let trap = Trap::set();
    let address = SocketAddr::from(([127, 0, 0, 1], trap.port));
    let config = EgressConfig {
        host_overrides: HashMap::from([("demo.localhost".to_owned(), address)]),
        ..EgressConfig::default()
    };
    let request = EgressRequest {
        timeout: Duration::from_millis(200),
        ..get("http://demo.localhost/")
    };
    let error = egress_with(config, no_lookup()).send(request).await;
    assert!(matches!(error.unwrap_err().reason, Error::TimedOut));
    assert_eq!(trap.connections(), 1);
}

#[tokio::test]
async fn no_form_of_url_leads_into_the_trap() {
    let trap = Trap::set();
    // Names lead into the trap, should anybody look them up.
    let egress = trap.egress(ScriptedLookup::new(&[&["127.0.0.1"]]));
    for host in INSIDE_HOSTS {
        refuse(&egress, &format!("http://{host}:{}/", trap.port)).await;
    }
    for (address, is_public) in V4.iter().chain(&V6) {
        let address: IpAddr = address.parse().unwrap();
        let url = format!("http://{}/", SocketAddr::new(address, trap.port));
        if !is_public {
            refuse(&egress, &url).await;
        }
    }
    for url in MALFORMED_URLS {
        refuse(&egress, url).await;
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn no_name_leads_to_an_address_inside() {
    let trap = Trap::set();
    let url = format!("http://rebind.example.com:{}/", trap.port);
    for (address, is_public) in V4.iter().chain(&V6) {
        if !is_public {
            for answer in [&[*address][..], &["8.8.8.8", *address]] {
                let egress = trap.egress(ScriptedLookup::new(&[answer]));
                refuse(&egress, &url).await;
            }
        }
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_that_turns_inside_between_two_look_ups_leads_nowhere() {
    let trap = Trap::set();
    let lookup = ScriptedLookup::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let egress = trap.egress(lookup.clone());
    let url = format!("http://rebind.example.com:{}/", trap.port);
    let (mut refused, mut unconnected) = (0, 0);
    for _ in 0..TRIES {
        match egress.send(get(&url)).await.unwrap_err().reason {
            Error::Forbidden { .. } => refused += 1,
            Error::Connection(_) => unconnected += 1,
            reason => panic!("{reason:?}"),
        }
    }
    assert_eq!((refused, unconnected), (TRIES / 2, TRIES / 2));
    // One look-up a try: what was checked is what was connected to.
    assert_eq!(lookup.calls(), TRIES);
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn no_redirect_leads_into_the_trap() {
    let trap = Trap::set();
    let server = MockServer::start().await;
    let hosts = INSIDE_HOSTS.iter().chain(&["rebind.example.com"]);
    let locations: Vec<String> = hosts
        .map(|host| format!("http://{host}:{}/", trap.port))
        .collect();
    for (number, location) in locations.iter().enumerate() {
        // A header holds no letters beyond ASCII: a server sends them in UTF-8.
        let response = ResponseTemplate::new(302).insert_header("location", location.as_bytes());
        let from = path(format!("/{number}"));
        server
            .register(Mock::given(from).respond_with(response))
            .await;
    }
    let config = EgressConfig {
        ports: [trap.port].into(),
        host_overrides: HashMap::from([("demo.localhost".to_owned(), *server.address())]),
    };
    let egress = egress_with(config, ScriptedLookup::new(&[&["127.0.0.1"]]));
    for (number, location) in locations.iter().enumerate() {
        let url = format!("http://demo.localhost/{number}");
        let error = egress.send(get(&url)).await.unwrap_err();
        assert!(
            matches!(error.reason, Error::Forbidden { .. } | Error::Redirect(_)),
            "{location}: {error:?}"
        );
        assert!(error.may_have_reached, "{location}");
    }
    assert_eq!(trap.connections(), 0);
}
