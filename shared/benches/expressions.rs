//! What rendering a node's data costs: `cargo bench -p shared --bench expressions`.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use shared::inputs::{Bindings, Condition, Error, Template};

const OUTPUTS: usize = 500;

fn bindings() -> Bindings {
    let items: Vec<Value> = (0..100)
        .map(|n| json!({ "name": format!("item {n}"), "price": n }))
        .collect();
    let mut bindings = Bindings::new(json!({ "subject": "Refund", "count": 3, "items": items }))
        .with_execution("e-1", "2025-06-01T12:00:00Z")
        .with_workflow("w-1", "Triage");
    for n in 0..OUTPUTS {
        bindings.set_output(format!("n{n}"), json!({ "x": n, "text": "Hello" }));
    }
    bindings.set_output("a", json!({ "x": "Hello", "list": [1, 2, 3] }));
    bindings
}

fn templates() -> [(&'static str, Value); 6] {
    [
        (
            "literal",
            json!({ "url": "https://example.com", "n": [1, 2, 3] }),
        ),
        ("path", json!("${nodes.a.output.x}")),
        ("text", json!("Re: ${trigger.subject} (${trigger.count})")),
        ("function", json!("${upper(nodes.a.output.x) + '!'}")),
        ("default", json!("${default(trigger.missing.deeper, 'x')}")),
        (
            "loop of 100",
            json!("${trigger.items.filter(i, i.price > 50).map(i, i.name)}"),
        ),
    ]
}

fn render(criterion: &mut Criterion) -> Result<(), Error> {
    let bindings = bindings();
    for (name, source) in templates() {
        let template = Template::compile(&source)?;
        template.render(&bindings)?;
        criterion.bench_function(&format!("render/{name}"), |bencher| {
            bencher.iter(|| template.render(black_box(&bindings)));
        });
    }
    let condition = Condition::compile("trigger.count > 2 && nodes.a.output.x == 'Hello'")?;
    condition.evaluate(&bindings)?;
    criterion.bench_function("condition", |bencher| {
        bencher.iter(|| condition.evaluate(black_box(&bindings)));
    });
    Ok(())
}

/// 1,000 rounds over a run with 500 outputs, each with an output of its own.
fn rounds(criterion: &mut Criterion) -> Result<(), Error> {
    let bindings = bindings();
    let template = Template::compile(&json!("${item.name} ${loops.l.index}"))?;
    let item = Arc::new(json!({ "name": "a" }));
    criterion.bench_function("1,000 rounds", |bencher| {
        bencher.iter(|| {
            (0..1_000).try_for_each(|index| {
                let mut round = bindings.with_loop("l", Arc::clone(&item), index);
                let output = template.render(&round)?;
                round.set_output("inner", output);
                Ok::<(), Error>(())
            })
        });
    });
    Ok(())
}

fn compile(criterion: &mut Criterion) -> Result<(), Error> {
    for (name, source) in templates() {
        Template::compile(&source)?;
        criterion.bench_function(&format!("compile/{name}"), |bencher| {
            bencher.iter(|| Template::compile(black_box(&source)));
        });
    }
    criterion.bench_function("bindings", |bencher| {
        bencher.iter(|| Bindings::new(Value::Null));
    });
    Ok(())
}

#[expect(clippy::panic, reason = "a bench of what fails measures nothing")]
fn all(criterion: &mut Criterion) {
    let done = render(criterion).and_then(|()| rounds(criterion));
    if let Err(error) = done.and_then(|()| compile(criterion)) {
        panic!("{error}");
    }
}

criterion_group!(expressions, all);
criterion_main!(expressions);
