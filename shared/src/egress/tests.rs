mod addresses;
mod calls;
mod limits;
mod trap;

use std::{collections::HashMap, io, net::Ipv4Addr, sync::atomic::AtomicUsize};

use async_trait::async_trait;

use super::*;

/// Answers each look-up with the next list of addresses, and begins again after the last.
struct ScriptedLookup {
    answers: Vec<Vec<IpAddr>>,
    calls: AtomicUsize,
}

impl ScriptedLookup {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parse).collect(),
            calls: AtomicUsize::new(0),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Lookup for ScriptedLookup {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(call % self.answers.len().max(1));
        answer
            .cloned()
            .ok_or_else(|| io::Error::other("no such host"))
    }
}

/// A client that cannot leave this machine: the system has no route from the loopback address to
/// any other.
fn egress_with(config: EgressConfig, lookup: Arc<dyn Lookup>) -> Egress {
    let network = Network {
        lookup,
        local_address: Some(Ipv4Addr::LOCALHOST.into()),
    };
    Egress::on(network, config).unwrap()
}

fn get(url: &str) -> EgressRequest {
    EgressRequest {
        method: Method::GET,
        url: url.to_owned(),
        headers: BTreeMap::new(),
        query: BTreeMap::new(),
        body: None,
        timeout: Duration::from_secs(20),
    }
}
