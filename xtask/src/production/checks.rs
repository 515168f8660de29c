use anyhow::Result;

use super::{Finding, Outputs, Verdict, gcloud};
use crate::command::{capture, program};

/// A secret of the deployment that Stripe's API is asked with.
const STRIPE_KEY: &str = "stripe-verify-api-key";

/// Google's page for people without a sign-in; it answers an error for a client that it does not know.
const CONSENT: &str = "https://accounts.google.com/o/oauth2/v2/auth";

/// Where it leads to for such a client, or another address to come back to.
const CONSENT_ERROR: &str = "/signin/oauth/error";

/// All of them; what cannot be asked is bad.
pub(super) fn all(outputs: &Outputs) -> Vec<Finding> {
    let mut findings = secrets(outputs);
    findings.extend(dead_letters(outputs));
    findings.push(find("indexes", indexes(outputs)));
    findings.push(find("certificate", certificate(outputs)));
    findings.push(find("TLS 1.1", old_tls(outputs)));
    findings.push(find("HTTP", redirect(outputs)));
    findings.push(find("HSTS", hsts(outputs)));
    findings.push(find("Stripe's endpoint, prices and meter", stripe(outputs)));
    findings.push(find("OAuth client", consent(outputs)));
    findings.push(Finding::new(
        "OAuth consent screen",
        Verdict::ByHand(
            "must be \"In production\" and verified: in \"Testing\" refresh tokens end after 7 days"
                .to_owned(),
        ),
    ));
    findings
}

fn find(subject: impl Into<String>, verdict: Result<Verdict>) -> Finding {
    let verdict = verdict.unwrap_or_else(|error| Verdict::Bad(format!("{error:#}")));
    Finding::new(subject, verdict)
}

/// Each secret has the version that functions start with.
fn secrets(outputs: &Outputs) -> Vec<Finding> {
    let secrets = outputs.secrets.value.iter();
    secrets
        .map(|(name, version)| {
            let state = gcloud(
                outputs,
                &[
                    "secrets",
                    "versions",
                    "describe",
                    version,
                    &format!("--secret={name}"),
                    "--format=value(state)",
                ],
            );
            let verdict = state.map(|state| expect(state.as_deref(), "ENABLED"));
            find(format!("secret {name}, version {version}"), verdict)
        })
        .collect()
}

fn dead_letters(outputs: &Outputs) -> Vec<Finding> {
    let subscriptions = outputs.dead_letters.value.iter();
    subscriptions
        .map(|(subscription, dead)| {
            let topic = gcloud(
                outputs,
                &[
                    "pubsub",
                    "subscriptions",
                    "describe",
                    subscription,
                    "--format=value(deadLetterPolicy.deadLetterTopic)",
                ],
            );
            let verdict = topic.map(|topic| expect(topic.as_deref(), &dead.topic));
            find("dead letters of a trigger", verdict)
        })
        .collect()
}

fn indexes(outputs: &Outputs) -> Result<Verdict> {
    let waiting = gcloud(
        outputs,
        &[
            "firestore",
            "indexes",
            "composite",
            "list",
            "--database=(default)",
            "--filter=state!=READY",
            "--format=value(name)",
        ],
    )?;
    Ok(expect(waiting.as_deref(), ""))
}

fn certificate(outputs: &Outputs) -> Result<Verdict> {
    let status = gcloud(
        outputs,
        &[
            "compute",
            "ssl-certificates",
            "describe",
            &outputs.certificate.value,
            "--global",
            "--format=value(managed.status)",
        ],
    )?;
    Ok(expect(status.as_deref(), "ACTIVE"))
}

fn old_tls(outputs: &Outputs) -> Result<Verdict> {
    let url = format!("https://{}/", outputs.domain.value);
    // Curl refuses old versions itself otherwise.
    let any = ["--tlsv1.0", "--ciphers", "DEFAULT@SECLEVEL=0"];
    let to = ["--output", "/dev/null", &url];
    let speaks = |version| ask(&[&any[..], &["--tls-max", version], &to].concat());
    // What is out of reach refuses everything.
    if speaks("1.2")?.is_none() {
        return Ok(Verdict::Bad("TLS 1.2 is not spoken either".to_owned()));
    }
    Ok(match speaks("1.1")? {
        Some(_) => Verdict::Bad("is spoken".to_owned()),
        None => Verdict::Good("is refused".to_owned()),
    })
}

fn redirect(outputs: &Outputs) -> Result<Verdict> {
    let url = format!("http://{}/", outputs.domain.value);
    let format = "%{http_code} %{redirect_url}";
    let answer = ask(&["--output", "/dev/null", "--write-out", format, &url])?;
    let wanted = format!("301 https://{}", outputs.domain.value);
    let is_led = answer.as_deref().is_some_and(|answer| {
        let rest = answer.strip_prefix(&wanted);
        rest.is_some_and(|rest| rest.starts_with(['/', ':']))
    });
    Ok(match is_led {
        true => Verdict::Good("leads to HTTPS".to_owned()),
        false => Verdict::Bad(format!("answers {}", answer.unwrap_or_default())),
    })
}

fn hsts(outputs: &Outputs) -> Result<Verdict> {
    let url = format!("https://{}/api/v1/me", outputs.domain.value);
    let headers = ask(&["--dump-header", "-", "--output", "/dev/null", &url])?.unwrap_or_default();
    let headers = headers.to_ascii_lowercase();
    Ok(
        match headers.contains("strict-transport-security: max-age=") {
            true => Verdict::Good("is told".to_owned()),
            false => Verdict::Bad("is not told".to_owned()),
        },
    )
}

/// `stripe-setup verify` compares what Stripe has with what the functions need.
fn stripe(outputs: &Outputs) -> Result<Verdict> {
    let version = outputs.secrets.value.get(STRIPE_KEY);
    let version = version.map_or("latest", String::as_str);
    let secret = format!("--secret={STRIPE_KEY}");
    let key = gcloud(
        outputs,
        &["secrets", "versions", "access", version, &secret],
    )?;
    let Some(key) = key else {
        return Ok(Verdict::Bad("the key cannot be read".to_owned()));
    };
    let url = format!("https://{}/webhooks/stripe", outputs.domain.value);
    let build = ["run", "--quiet", "-p", "stripe-setup", "--"];
    let verify = ["verify", "--webhook-url", &url];
    let mut command = program("cargo", &[&build[..], &verify].concat());
    command.env("STRIPE_API_KEY", key);
    Ok(match capture(command)? {
        Some(_) => Verdict::Good("as they must be".to_owned()),
        None => Verdict::Bad("see `stripe-setup verify`".to_owned()),
    })
}

/// Whether Google knows the client and the address that users come back to.
fn consent(outputs: &Outputs) -> Result<Verdict> {
    let Some(client) = &outputs.google_oauth_client_id.value else {
        return Ok(Verdict::Good(
            "none: Google Workspace is not connected".to_owned(),
        ));
    };
    let back = format!(
        "redirect_uri=https://{}/api/v1/integrations/google/callback",
        outputs.domain.value
    );
    let answer = ask(&[
        "--get",
        "--output",
        "/dev/null",
        "--write-out",
        "%{redirect_url}",
        "--data-urlencode",
        &format!("client_id={client}"),
        "--data-urlencode",
        &back,
        "--data-urlencode",
        "response_type=code",
        "--data-urlencode",
        "scope=openid email",
        CONSENT,
    ])?;
    Ok(match answer.as_deref() {
        None | Some("") => Verdict::Bad("Google does not answer".to_owned()),
        Some(led) if led.contains(CONSENT_ERROR) => {
            Verdict::Bad("Google does not know it, or its redirect URL".to_owned())
        }
        Some(_) => Verdict::Good("Google knows it and its redirect URL".to_owned()),
    })
}

fn ask(arguments: &[&str]) -> Result<Option<String>> {
    let quiet = ["--silent", "--max-time", "20"];
    capture(program("curl", &[&quiet, arguments].concat()))
}

fn expect(found: Option<&str>, wanted: &str) -> Verdict {
    match found {
        Some(found) if found == wanted => Verdict::Good(match found {
            "" => "ready".to_owned(),
            found => found.to_owned(),
        }),
        Some(found) => Verdict::Bad(format!("{found:?} instead of {wanted:?}")),
        None => Verdict::Bad("is not there, or may not be looked at".to_owned()),
    }
}
