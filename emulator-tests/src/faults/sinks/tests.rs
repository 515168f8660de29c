use super::*;

struct Stand {
    sinks: Sinks,
    _deaths: UnboundedReceiver<usize>,
    http: reqwest::Client,
}

async fn start() -> Stand {
    let options = SinkOptions {
        workers: 2,
        rates: FaultRates::default(),
        chance: Chance::new(1, "sinks"),
        witness: Arc::default(),
    };
    let (sinks, deaths) = Sinks::start(options).await.unwrap();
    Stand {
        sinks,
        _deaths: deaths,
        http: crate::emulators::client(),
    }
}

impl Stand {
    async fn call(&self, worker: usize, path: &str, key: &str) -> (u16, String) {
        let address = self.sinks.address(worker).unwrap();
        let request = self.http.post(format!("http://{address}/{path}"));
        let response = request.header(IDEMPOTENCY_KEY, key).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    fn effects(&self) -> Vec<Effect> {
        let calls = self.sinks.calls();
        calls.into_iter().map(|call| call.effect).collect()
    }
}

#[tokio::test]
async fn a_key_has_one_effect_and_one_answer() {
    let stand = start().await;
    let first = stand.call(0, "keyed/e1/n1", "k1").await;
    let second = stand.call(1, "keyed/e1/n1", "k1").await;
    assert_eq!(first, second);
    assert_eq!(stand.effects(), [Effect::Done, Effect::Repeated]);
}

#[tokio::test]
async fn without_keys_every_call_has_an_effect() {
    let stand = start().await;
    for _ in 0..2 {
        stand.call(0, "unkeyed/e1/n1", "k1").await;
    }
    assert_eq!(stand.effects(), [Effect::Done, Effect::Done]);
}

#[tokio::test]
async fn a_flaky_sink_fails_once_a_key_and_a_bad_one_always() {
    let stand = start().await;
    for (path, codes) in [("flaky/e1/n1", [500, 200]), ("bad/e1/n2", [400, 400])] {
        for code in codes {
            assert_eq!(stand.call(0, path, path).await.0, code, "{path}");
        }
    }
}

#[tokio::test]
async fn a_trap_holds_one_call_and_tells_whose_it_is() {
    let stand = start().await;
    let sprung = stand.sinks.set(Trap {
        moment: Moment::AfterEffect,
        of: Caller::Node {
            execution: "e1".to_owned(),
            node: "n1",
        },
    });
    let (answer, worker) = tokio::join!(stand.call(1, "keyed/e1/n1", "k1"), async {
        let sprung = sprung.await.unwrap();
        assert_eq!(stand.effects(), [Effect::Done]);
        sprung.worker
    });
    assert_eq!((answer.0, worker), (200, 1));
}
