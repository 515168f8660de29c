//! The rules again, in their plainest form, against graphs that nobody thought of.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};

use super::*;

/// Node 0 is the trigger; every other one comes after some of those before it in the list.
#[derive(Debug, Default)]
struct Sketch {
    loops: BTreeSet<usize>,
    edges: BTreeSet<(usize, &'static str, usize)>,
    /// From a node back into a loop.
    nexts: BTreeSet<(usize, usize)>,
    /// A node and one whose output it uses.
    uses: BTreeSet<(usize, usize)>,
}

type Choice = (bool, Vec<(Index, bool)>, Option<Index>, Option<Index>);

fn choices(most_nodes: usize) -> impl Strategy<Value = Vec<Choice>> {
    let sources = prop_oneof![
        5 => prop::collection::vec(any::<(Index, bool)>(), 1),
        1 => prop::collection::vec(any::<(Index, bool)>(), 2),
    ];
    let back = prop::option::weighted(0.2, any::<Index>());
    let uses = prop::option::weighted(0.3, any::<Index>());
    prop::collection::vec(
        (prop::bool::weighted(0.4), sources, back, uses),
        1..most_nodes,
    )
}

fn sketch(choices: &[Choice]) -> Sketch {
    let mut sketch = Sketch::default();
    for (position, (is_loop, sources, back, uses)) in choices.iter().enumerate() {
        let node = position + 1;
        if *is_loop {
            sketch.loops.insert(node);
        }
        for (source, is_each) in sources {
            let source = source.index(node);
            let handle = match (sketch.loops.contains(&source), is_each) {
                (false, _) => handle::OUT,
                (true, true) => handle::EACH,
                (true, false) => handle::DONE,
            };
            sketch.edges.insert((source, handle, node));
        }
        let earlier: Vec<usize> = sketch
            .loops
            .iter()
            .copied()
            .filter(|it| *it < node)
            .collect();
        if let Some(back) = back.filter(|_| !earlier.is_empty() && !is_loop) {
            sketch.nexts.insert((node, *back.get(&earlier)));
        }
        sketch
            .uses
            .extend(uses.map(|used| (node, used.index(choices.len() + 1))));
    }
    sketch
}

impl Sketch {
    fn after(&self, first: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut open: Vec<usize> = first.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(node) = open.pop() {
            if found.insert(node) {
                let edges = self.edges.iter().filter(|(source, ..)| *source == node);
                open.extend(edges.map(|(.., target)| *target));
            }
        }
        found
    }

    fn body(&self, of: usize) -> BTreeSet<usize> {
        let is_entry =
            |(source, handle, _): &&(usize, &str, usize)| *source == of && *handle == handle::EACH;
        self.after(
            self.edges
                .iter()
                .filter(is_entry)
                .map(|(.., target)| *target),
        )
    }

    /// The loops around a node, the innermost first.
    fn around(&self, node: usize) -> Vec<usize> {
        let mut around: Vec<usize> = self.loops.iter().copied().collect();
        around.retain(|it| self.body(*it).contains(&node));
        around.sort_by_key(|it| self.body(*it).len());
        around
    }

    fn is_sound(&self) -> bool {
        let bodies = self.loops.iter().map(|it| (*it, self.body(*it)));
        let are_closed = bodies.into_iter().all(|(it, body)| {
            let is_fine = |(source, handle, target): &(usize, &str, usize)| {
                let enters = body.contains(target) && !body.contains(source);
                !enters || (*source == it && *handle == handle::EACH)
            };
            !body.is_empty() && self.edges.iter().all(is_fine) && self.around(it).len() < 3
        });
        let mut nexts = self.nexts.iter();
        are_closed
            && nexts.all(|(source, target)| self.around(*source).first() == Some(target))
            && self
                .uses
                .iter()
                .all(|(user, used)| self.may_use(*user, *used))
    }

    fn may_use(&self, user: usize, used: usize) -> bool {
        let around = self.around(user);
        used != user
            && self.after([used]).contains(&user)
            && !around.contains(&used)
            && self.around(used).iter().all(|it| around.contains(it))
    }

    fn parse(&self, count: usize) -> Result<Graph, Invalid> {
        let value = |id: usize| {
            let used = self.uses.iter().filter(|(user, _)| *user == id);
            let used = used.map(|(_, used)| json!(format!("${{nodes.n{used}.output}}")));
            used.collect::<Value>()
        };
        let nodes: Vec<Value> = (0..count)
            .rev()
            .map(|id| match id {
                0 => node("n0", "trigger", json!({})),
                _ if self.loops.contains(&id) => {
                    node(&format!("n{id}"), "loop", json!({ "items": value(id) }))
                }
                _ => node(
                    &format!("n{id}"),
                    "transform",
                    json!({ "value": value(id) }),
                ),
            })
            .collect();
        let forward = self
            .edges
            .iter()
            .map(|(s, handle, t)| format!("n{s}.{handle} > n{t}"));
        let back = self.nexts.iter().map(|(s, t)| format!("n{s} > n{t}.next"));
        let edges: Vec<String> = forward.chain(back).collect();
        let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
        Graph::parse(&nodes, &links(&edges))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn loops_are_accepted_by_their_rules(choices in choices(10)) {
        let sketch = sketch(&choices);
        let graph = sketch.parse(choices.len() + 1);
        prop_assert_eq!(graph.is_ok(), sketch.is_sound(), "{:#?}", graph.err());
        if let Ok(graph) = graph {
            for node in 0..=choices.len() {
                let around = sketch.around(node).first().map(|it| format!("n{it}"));
                let found = graph.loop_of(graph.index_of(&format!("n{node}")).unwrap());
                prop_assert_eq!(found.map(|it| graph.node_at(it).id.clone()), around);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn outputs_are_accepted_by_what_leads_where(mut choices in choices(300)) {
        for (is_loop, _, back, _) in &mut choices {
            (*is_loop, *back) = (false, None);
        }
        let sketch = sketch(&choices);
        let refused: BTreeSet<String> = match sketch.parse(choices.len() + 1) {
            Ok(_) => BTreeSet::new(),
            Err(invalid) => invalid.problems.into_iter().filter_map(|it| it.node_id).collect(),
        };
        let expected = sketch.uses.iter().filter(|(user, used)| !sketch.may_use(*user, *used));
        let expected: BTreeSet<String> = expected.map(|(user, _)| format!("n{user}")).collect();
        if expected.len() < 100 {
            prop_assert_eq!(refused, expected);
        }
    }
}
