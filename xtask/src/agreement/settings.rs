//! What Terraform sets, as it stands in the files.

use std::collections::BTreeMap;

use hcl::{
    Block, Body, Expression, ObjectKey,
    eval::{Context, Evaluate},
    expr::TraversalOperator,
};

use super::{Names, text, texts};
use crate::{alerts::local, command::root};

pub(super) const PLATFORM: &str = "terraform/modules/platform";

const METRICS: &str = "terraform/modules/observability/metrics.tf";

/// The modules of the platform.
pub(super) struct Settings {
    body: Body,
}

/// A service of Cloud Run.
pub(super) struct Service {
    pub(super) name: String,
    /// When Cloud Run ends a request.
    pub(super) timeout_seconds: u64,
    block: Block,
}

impl Service {
    /// Whether it has something of this kind: `queues`, `events`, `subscriptions`.
    pub(super) fn has(&self, kind: &str) -> bool {
        attribute(&self.block, kind).is_some()
    }
}

impl Settings {
    pub(super) fn read() -> Self {
        let text = texts(&root().join(PLATFORM), "tf");
        Self {
            body: hcl::parse(&text).unwrap(),
        }
    }

    /// The names of services that the pipeline is told.
    pub(super) fn told(&self) -> Names {
        let names = local(&self.body, "functions").unwrap();
        let names = names.evaluate(&Context::new()).unwrap();
        let names = names.as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// The functions that have a service or a job, with the variables that it gets.
    pub(super) fn functions(&self) -> BTreeMap<String, Names> {
        let modules = self
            .body
            .blocks()
            .filter(|block| block.identifier() == "module");
        let mut functions = BTreeMap::<String, Names>::new();
        for module in modules {
            if let Some(image) = attribute(module, "image").and_then(image) {
                functions
                    .entry(image)
                    .or_default()
                    .extend(self.variables(module));
            }
        }
        functions
    }

    /// The services, by their names.
    pub(super) fn services(&self) -> Vec<Service> {
        let modules = self
            .body
            .blocks()
            .filter(|block| block.identifier() == "module");
        let is_service = |block: &&Block| {
            let source = attribute(block, "source");
            source == Some(&Expression::String("../function".to_owned()))
        };
        let services = modules.filter(is_service).map(|block| {
            let seconds = attribute(block, "timeout_seconds").map_or_else(default_timeout, number);
            let Some(Expression::String(name)) = attribute(block, "name") else {
                panic!("a service has no name");
            };
            Service {
                name: name.clone(),
                timeout_seconds: seconds,
                block: block.clone(),
            }
        });
        let mut services: Vec<Service> = services.collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        services
    }

    fn variables(&self, module: &Block) -> Names {
        let maps = ["environment", "secrets"].map(|name| attribute(module, name));
        maps.into_iter()
            .flatten()
            .flat_map(|map| self.keys(map))
            .collect()
    }

    /// The keys that a map may have.
    fn keys(&self, map: &Expression) -> Names {
        match map {
            Expression::Object(object) => object.keys().map(key).collect(),
            Expression::FuncCall(call) if call.name.name == "merge".into() => {
                call.args.iter().flat_map(|map| self.keys(map)).collect()
            }
            Expression::ForExpr(each) => self.keys(&each.collection_expr),
            Expression::Traversal(traversal) => match traversal.operators.as_slice() {
                [TraversalOperator::GetAttr(name)] => {
                    let map = local(&self.body, name).unwrap_or_else(|| panic!("no local {name}"));
                    self.keys(map)
                }
                other => panic!("a map is not understood: {other:?}"),
            },
            other => panic!("a map is not understood: {other:?}"),
        }
    }
}

/// The messages of lines that are counted.
pub(super) fn log_messages() -> Names {
    let body = hcl::parse(&text(METRICS)).unwrap();
    let metrics = local(&body, "log_metrics").unwrap();
    let Expression::Object(metrics) = metrics else {
        panic!("the metrics are no object");
    };
    let messages = metrics.values().map(|metric| {
        let Expression::Object(metric) = metric else {
            panic!("a metric is no object");
        };
        let messages = metric.get(&ObjectKey::from(hcl::Identifier::unchecked("messages")));
        let messages = messages.unwrap().evaluate(&Context::new()).unwrap();
        let messages = messages.as_array().unwrap().clone();
        messages
            .into_iter()
            .map(|message| message.as_str().unwrap().to_owned())
    });
    messages.flatten().collect()
}

/// How long a service has that does not tell.
fn default_timeout() -> u64 {
    let body = hcl::parse(&text("terraform/modules/function/variables.tf")).unwrap();
    let mut variables = body.blocks();
    let timeout = variables.find(|block| {
        let mut labels = block.labels().iter();
        labels.any(|label| label.as_str() == "timeout_seconds")
    });
    number(attribute(timeout.unwrap(), "default").unwrap())
}

fn number(expression: &Expression) -> u64 {
    let value = expression.evaluate(&Context::new()).unwrap();
    value.as_u64().unwrap()
}

fn attribute<'block>(block: &'block Block, name: &str) -> Option<&'block Expression> {
    let mut attributes = block.body().attributes();
    attributes
        .find(|attribute| attribute.key() == name)
        .map(hcl::Attribute::expr)
}

/// `var.images["…"]`.
fn image(image: &Expression) -> Option<String> {
    let Expression::Traversal(traversal) = image else {
        return None;
    };
    match traversal.operators.as_slice() {
        [
            TraversalOperator::GetAttr(_),
            TraversalOperator::Index(Expression::String(name)),
        ] => Some(name.clone()),
        _ => None,
    }
}

fn key(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Identifier(name) => name.to_string(),
        ObjectKey::Expression(Expression::String(name)) => name.clone(),
        other => panic!("a key is not understood: {other}"),
    }
}
