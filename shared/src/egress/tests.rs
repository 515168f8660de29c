mod addresses;
mod calls;

use std::{
    io,
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

use super::*;

/// Answers each look-up with the next list of addresses, the last one for ever.
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
        let answer = self.answers.get(call).or(self.answers.last());
        answer
            .cloned()
            .ok_or_else(|| io::Error::other("no such host"))
    }
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
