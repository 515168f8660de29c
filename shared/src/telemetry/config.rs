use url::Url;

use crate::config::{Env, Error};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";

/// One in ten: all failures are kept beside them.
const DEFAULT_RATIO: f64 = 0.1;

/// Google's collector, which asks who sends spans
/// (<https://cloud.google.com/stackdriver/docs/reference/telemetry/overview>).
const GOOGLE: &str = "telemetry.googleapis.com";

/// Where spans go, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceConfig {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the URL of a collector that takes OTLP over HTTP.
    pub endpoint: Url,
    /// `OTEL_TRACES_SAMPLER_ARG`: which part of the traces that begin here is kept, from 0 to 1.
    /// Those in which something fails are kept whatever it is.
    pub ratio: f64,
    /// `OTEL_SERVICE_NAME`: who tells; on Cloud Run the service's name.
    pub service: String,
    /// The project that traces belong to.
    pub project_id: String,
}

impl TraceConfig {
    /// Reads the variables; none without an endpoint, and then there are no traces.
    ///
    /// # Errors
    /// Returns the variable that is invalid.
    pub fn load(env: &Env, project_id: &str) -> Result<Option<Self>, Error> {
        if env.optional(ENDPOINT).is_none() {
            return Ok(None);
        }
        let endpoint: Url = env.required_parsed(ENDPOINT)?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(invalid(
                ENDPOINT,
                "expected `https://host` or `http://host`",
            ));
        }
        let ratio = env.parsed(RATIO, DEFAULT_RATIO)?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(invalid(RATIO, "expected a number from 0 to 1"));
        }
        let names = ["OTEL_SERVICE_NAME", "K_SERVICE", "CLOUD_RUN_JOB"];
        let name = names.iter().find_map(|name| env.optional(name));
        Ok(Some(Self {
            endpoint,
            ratio,
            service: name.unwrap_or("infinity-x").to_owned(),
            project_id: project_id.to_owned(),
        }))
    }

    /// Whether the collector is Google's. Nobody else is told who this service is.
    pub(super) fn is_google(&self) -> bool {
        self.endpoint.scheme() == "https" && self.endpoint.host_str() == Some(GOOGLE)
    }

    /// Where traces are posted
    /// (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>).
    pub(super) fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.endpoint.as_str().trim_end_matches('/'))
    }
}

fn invalid(name: &'static str, reason: &str) -> Error {
    let reason = reason.to_owned();
    Error::Invalid { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Option<TraceConfig>, Error> {
        let env = Env::from_pairs(pairs.iter().copied());
        TraceConfig::load(&env, "p-1")
    }

    #[test]
    fn there_are_no_traces_without_a_collector() {
        assert_eq!(load(&[(RATIO, "1")]).unwrap(), None);
    }

    #[test]
    fn a_service_on_cloud_run_tells_its_name() {
        let config = load(&[
            (ENDPOINT, "https://telemetry.googleapis.com"),
            ("K_SERVICE", "api"),
        ]);
        let config = config.unwrap().unwrap();
        assert_eq!(config.service, "api");
        assert_eq!(
            config.traces_url(),
            "https://telemetry.googleapis.com/v1/traces"
        );
        assert!(config.is_google());
    }

    #[test]
    fn nobody_but_google_is_told_who_this_is() {
        for endpoint in [
            "http://telemetry.googleapis.com",
            "https://telemetry.googleapis.com.example.com",
            "http://localhost:4318/",
        ] {
            let config = load(&[(ENDPOINT, endpoint)]).unwrap().unwrap();
            assert!(!config.is_google(), "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_ratio_or_no_url_is_refused_by_name() {
        let endpoint = (ENDPOINT, "http://localhost:4318");
        for ratio in ["1.1", "-0.1", "NaN", "all"] {
            let refused = load(&[endpoint, (RATIO, ratio)]).unwrap_err();
            assert!(refused.to_string().contains(RATIO), "{refused}");
        }
        for endpoint in ["localhost:4318", "grpc://localhost", "collector"] {
            let refused = load(&[(ENDPOINT, endpoint)]).unwrap_err();
            assert!(refused.to_string().contains(ENDPOINT), "{refused}");
        }
    }
}
