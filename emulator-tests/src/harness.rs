//! Starting and stopping everything together.

mod stand_ins;

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use shared::{
    config::{Env, ServiceConfig},
    shutdown::Shutdown,
    store::firestore::Firestore,
};

pub use self::stand_ins::PROJECT_ID;
use self::stand_ins::{StandIns, start_stand_ins};
use crate::{
    delivery::{Delivery, Sources},
    emulators::{LocalPort, LocalServer},
    mount::mount_functions,
    stubs::{
        cloud_run::CloudRun, local_google::LocalGoogle, local_stripe::LocalStripe, openai::OpenAi,
        pub_sub::PubSub, sendgrid::SendGrid, tasks::Tasks, web::Web,
    },
};

/// What to start.
#[derive(Clone, Default)]
pub struct HarnessOptions {
    /// Port of the functions; 0 for any.
    pub port: u16,
    /// Port of the embedded Firestore; 0 for any.
    pub firestore_port: u16,
    /// Port of the local sign-in; 0 for any.
    pub auth_port: u16,
    /// Where data outlives a restart; in memory when absent.
    pub data_dir: Option<PathBuf>,
    /// Chance from 0 to 1 that a task is delivered twice.
    pub duplicate_tasks: f64,
    /// Chance from 0 to 1 that a message of the topic is pushed twice.
    pub duplicate_messages: f64,
    /// Whether Cloud Scheduler stands still: no sweeper looks, and no schedule is due.
    pub is_unscheduled: bool,
    /// Variables that switch a part to the real thing.
    pub env: Env,
}

/// Where everything is, as `--ready-file` tells it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// All functions.
    pub api_url: String,
    /// Firestore, as `host:port`.
    pub firestore_host: String,
    /// Identity Toolkit and Secure Token, as `host:port`.
    pub auth_host: String,
    /// The project of both.
    pub project_id: String,
    /// Messages that were sent.
    pub mail_url: String,
    /// The LLM's OpenAI-compatible API.
    pub llm_url: String,
    /// The local Google, unless accounts of Google itself are connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub google_url: Option<String>,
    /// The local Stripe, unless an account at Stripe itself is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stripe_url: Option<String>,
}

/// The whole product, running.
pub struct Harness {
    endpoints: Endpoints,
    env: Env,
    stand_ins: StandIns,
    delivery: Delivery,
    server: LocalServer,
    shutdown: Shutdown,
}

impl Harness {
    /// Starts everything and returns when all of it answers.
    ///
    /// # Errors
    /// Returns what could not be started.
    pub async fn start(options: HarnessOptions) -> Result<Self> {
        // Taken first: the queue delivers to it, which is among the functions' variables.
        let port = LocalPort::bind("functions", options.port).await?;
        let (env, stand_ins) = start_stand_ins(&options, &port.url()).await?;
        let functions_url = format!("{}/functions", port.url());
        let service = ServiceConfig::load(&env)?;
        let shutdown = Shutdown::new();
        let server = port.serve(mount_functions(&env, shutdown.clone())?);
        let firestore = Firestore::new(&service);
        let project_id = service.project_id.clone();
        let sources = Sources {
            sign_in: stand_ins.sign_in.clone(),
            topic: stand_ins.topic.clone(),
            has_schedules: !options.is_unscheduled,
        };
        let delivery = Delivery::start(functions_url, project_id, &firestore, sources).await?;
        let endpoints = endpoints(&env, &stand_ins, &server)?;
        Ok(Self {
            endpoints,
            env,
            stand_ins,
            delivery,
            server,
            shutdown,
        })
    }

    /// Where everything is.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The variables that the functions were started with.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The mail sink, unless mails go to SendGrid.
    #[must_use]
    pub fn mail(&self) -> Option<&SendGrid> {
        self.stand_ins.mail.as_ref()
    }

    /// The LLM stub, unless a real model answers.
    #[must_use]
    pub fn llm(&self) -> Option<&OpenAi> {
        self.stand_ins.llm.as_ref()
    }

    /// The queue of executions, unless another one is named.
    #[must_use]
    pub fn tasks(&self) -> Option<&Tasks> {
        self.stand_ins.tasks.as_ref()
    }

    /// The topic of syncs, unless another one is named.
    #[must_use]
    pub fn topic(&self) -> Option<&PubSub> {
        self.stand_ins.topic.as_deref()
    }

    /// The local Google, unless another one is named.
    #[must_use]
    pub fn google(&self) -> Option<&LocalGoogle> {
        self.stand_ins.google.as_ref()
    }

    /// The local Stripe, unless there is a key of an account at Stripe's.
    #[must_use]
    pub fn stripe(&self) -> Option<&LocalStripe> {
        self.stand_ins.stripe.as_ref()
    }

    /// The services of agents, unless an image is named.
    #[must_use]
    pub fn cloud_run(&self) -> Option<&CloudRun> {
        self.stand_ins.cloud_run.as_ref()
    }

    /// The site that HTTP nodes reach as `demo.localhost`.
    #[must_use]
    pub fn web(&self) -> &Web {
        &self.stand_ins.web
    }

    /// Stops everything; data is on disk afterwards if there is a data directory.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.delivery.stop().await;
        if let Some(tasks) = &self.stand_ins.tasks {
            tasks.shutdown().await;
        }
        if let Some(topic) = &self.stand_ins.topic {
            topic.shutdown().await;
        }
        self.server.shutdown().await;
        if let Some(firestore) = self.stand_ins.firestore {
            firestore.shutdown().await;
        }
    }
}

fn endpoints(env: &Env, stand_ins: &StandIns, server: &LocalServer) -> Result<Endpoints> {
    let mail_url = stand_ins.mail.as_ref().map(SendGrid::messages_url);
    let llm_url = env
        .optional("OPENAI_BASE_URL")
        .unwrap_or("https://api.openai.com/v1");
    Ok(Endpoints {
        api_url: server.url(),
        firestore_host: env.required("FIRESTORE_EMULATOR_HOST")?.to_owned(),
        auth_host: env.required("FIREBASE_AUTH_EMULATOR_HOST")?.to_owned(),
        project_id: env.required("GOOGLE_CLOUD_PROJECT")?.to_owned(),
        mail_url: mail_url.unwrap_or_else(|| "https://app.sendgrid.com/email_activity".to_owned()),
        llm_url: llm_url.to_owned(),
        google_url: stand_ins.google.as_ref().map(LocalGoogle::url),
        stripe_url: stand_ins.stripe.as_ref().map(LocalStripe::url),
    })
}
