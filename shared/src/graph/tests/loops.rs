use super::*;

/// The problems of a graph whose nodes are known by their first letter: `l` is a loop, `o` an
/// output, `s` the trigger, anything else a transformation; `uses` gives values to some.
fn problems(edges: &[&str], uses: &[(&str, &str)]) -> Vec<String> {
    let edges = links(edges);
    found(&nodes_of(&edges, uses), &edges)
}

fn nodes_of(edges: &[Value], uses: &[(&str, &str)]) -> Vec<Value> {
    let mut ids = vec!["s"];
    for edge in edges {
        for id in [&edge["source"], &edge["target"]] {
            let id = id.as_str().unwrap();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    let data = |id: &str| {
        let value = uses.iter().find(|(user, _)| *user == id);
        value.map_or(json!([]), |(_, value)| json!(value))
    };
    let nodes = ids.into_iter().map(|id| match &id[..1] {
        "s" => node(id, "trigger", json!({})),
        "l" => node(id, "loop", json!({ "items": data(id) })),
        "o" => node(id, "output", json!({ "value": data(id) })),
        _ => node(id, "transform", json!({ "value": data(id) })),
    });
    nodes.collect()
}

fn parsed(edges: &[&str]) -> Graph {
    let edges = links(edges);
    Graph::parse(&nodes_of(&edges, &[]), &edges)
        .unwrap_or_else(|invalid| panic!("{:#?}", invalid.problems))
}

fn names<'g>(graph: &'g Graph, nodes: &[usize]) -> Vec<&'g str> {
    nodes
        .iter()
        .map(|n| graph.node_at(*n).id.as_str())
        .collect()
}

const NESTED: [&str; 9] = [
    "s > l",
    "l.each > a",
    "a > l2",
    "l2.each > b",
    "b > l2.next",
    "l2.done > c",
    "c > l.next",
    "l.done > z",
    "z > o",
];

#[test]
fn bodies_hold_the_nodes_after_each() {
    let graph = parsed(&NESTED);
    let index = |id: &str| graph.index_of(id).unwrap();
    let (outer, inner) = (index("l"), index("l2"));
    assert_eq!(names(&graph, graph.top_level()), ["s", "l", "z", "o"]);
    assert_eq!(names(&graph, graph.body_of(outer)), ["a", "l2", "c"]);
    assert_eq!(names(&graph, graph.body_of(inner)), ["b"]);
    assert_eq!(graph.body_of(index("z")), [0_usize; 0]);
    let around: Vec<_> = graph
        .nodes()
        .iter()
        .map(|node| graph.loop_of(index(&node.id)))
        .collect();
    let ids = ["s", "l", "a", "l2", "b", "c", "z", "o"];
    assert_eq!(ids, *names(&graph, &(0..8).collect::<Vec<_>>()));
    let expected = [
        None,
        None,
        Some(outer),
        Some(outer),
        Some(inner),
        Some(outer),
        None,
        None,
    ];
    assert_eq!(around, expected);
}

#[test]
fn edges_are_found_by_position() {
    let graph = parsed(&NESTED);
    let index = |id: &str| graph.index_of(id).unwrap();
    let ids = |edges: &[usize]| -> Vec<String> {
        edges
            .iter()
            .map(|edge| graph.edge_at(*edge).id.clone())
            .collect()
    };
    let outer = index("l");
    assert_eq!(ids(graph.incoming_of(outer)), ["e0"]);
    assert_eq!(ids(graph.nexts_of(outer)), ["e6"]);
    assert_eq!(ids(graph.outgoing_of(outer)), ["e1", "e7"]);
    assert_eq!(ids(&graph.entries_of(outer).collect::<Vec<_>>()), ["e1"]);
    assert_eq!(graph.edge_ends(6), (index("c"), outer));
    assert_eq!(graph.edge_at(6).target_handle, handle::NEXT);
    assert_eq!(graph.index_of("nowhere"), None);
    let incoming: Vec<_> = graph.incoming("l").map(|edge| &edge.id).collect();
    assert_eq!(incoming, ["e0"]);
    for (position, node) in graph.nodes().iter().enumerate() {
        let of = graph
            .outgoing_of(position)
            .iter()
            .map(|edge| graph.edge_at(*edge));
        assert!(of.eq(graph.outgoing(&node.id)), "{}", node.id);
    }
}

#[test]
fn the_last_nodes_are_those_that_nothing_follows_on_their_level() {
    let graph = parsed(&[
        "s > l",
        "l.each > a",
        "a > b",
        "a > c",
        "c > l.next",
        "s > d",
    ]);
    let last = |id: &str| graph.is_last(graph.index_of(id).unwrap());
    assert_eq!(
        ["s", "l", "a", "b", "c", "d"].map(last),
        [false, true, false, true, false, true]
    );
    assert_eq!(ids(graph.leaves()), ["l", "d"]);
}

#[test]
fn order_does_not_count_edges_that_lead_back() {
    let graph = parsed(&NESTED);
    assert_eq!(
        ids(graph.in_order()),
        ["s", "l", "a", "z", "l2", "o", "b", "c"]
    );
}

#[test]
fn a_body_is_entered_only_through_each() {
    let expected = [
        "edges[2].target: node `b` is reached from the body of loop `l` and, through edge `e3`, \
         from outside it: a body is entered only through `each` and left only through `next`",
    ];
    assert_eq!(
        problems(&["s > l", "l.each > a", "a > b", "s > b"], &[]),
        expected
    );
    assert_eq!(
        problems(&["s > l", "l.each > a", "a > b", "l.done > b"], &[]),
        expected
    );
}

#[test]
fn a_body_is_left_only_through_next() {
    let edges = [
        "s > l",
        "l.each > a",
        "a > z",
        "l.done > y",
        "y > z",
        "s > y",
    ];
    let expected = [
        "edges[2].target: node `z` is reached from the body of loop `l` and, through edge `e4`, \
         from outside it: a body is entered only through `each` and left only through `next`",
    ];
    assert_eq!(problems(&edges, &[]), expected);
}

#[test]
fn bodies_of_two_loops_do_not_meet() {
    let edges = [
        "s > l1",
        "s > l2",
        "l1.each > a",
        "l2.each > b",
        "a > z",
        "b > z",
    ];
    let expected = ["l1", "l2"].map(|id| {
        let edge = if id == "l1" { 4 } else { 5 };
        format!(
            "edges[{edge}].target: node `z` is reached from the body of loop `{id}` and from \
             outside it: a body is entered only through `each` and left only through `next`"
        )
    });
    assert_eq!(problems(&edges, &[]), expected);
}

#[test]
fn an_inner_body_does_not_lead_into_the_outer_one() {
    let edges = [
        "s > l",
        "l.each > l2",
        "l2.each > a",
        "l2.done > b",
        "a > b",
    ];
    let expected = [
        "edges[4].target: node `b` is reached from the body of loop `l2` and, through edge `e3`, \
         from outside it: a body is entered only through `each` and left only through `next`",
    ];
    assert_eq!(problems(&edges, &[]), expected);
}

#[test]
fn next_takes_edges_from_its_own_body() {
    let edges = ["s > l", "l.each > a", "l.done > z", "z > l.next"];
    assert_eq!(
        problems(&edges, &[]),
        ["edges[3].source: the handle `next` of loop `l` takes edges from its body only"]
    );
    let edges = ["s > l", "l.each > l2", "l2.each > a", "a > l.next"];
    assert_eq!(
        problems(&edges, &[]),
        [
            "edges[3].source: the handle `next` of loop `l` takes edges from its own body, not \
             from that of loop `l2` in it"
        ]
    );
    let edges = [
        "s > l",
        "l.each > l2",
        "l2.each > a",
        "l2.done > b",
        "b > l2.next",
    ];
    assert_eq!(
        problems(&edges, &[]),
        ["edges[4].source: the handle `next` of loop `l2` takes edges from its body only"]
    );
}

#[test]
fn next_is_a_handle_of_loops_only() {
    assert_eq!(
        problems(&["s > a", "a > b.next"], &[]),
        ["edges[1].targetHandle: must be `in` or absent"]
    );
    assert_eq!(
        problems(&["s > l.left", "l.each > a"], &[]),
        ["edges[0].targetHandle: must be `in`, `next` or absent"]
    );
    assert_eq!(
        problems(&["s > l", "l > a", "l.each > b"], &[]),
        ["edges[1].sourceHandle: must be one of `each`, `done`"]
    );
}

#[test]
fn only_next_leads_back() {
    assert_eq!(
        problems(&["s > l", "l.each > a", "a > l.next"], &[]),
        [""; 0]
    );
    assert_eq!(
        problems(&["s > l", "l.each > a", "a > l"], &[]),
        ["edges: these nodes form a cycle: `a`, `l`"]
    );
    assert_eq!(
        problems(
            &["s > l", "l.each > a", "a > b", "b > a", "b > l.next"],
            &[]
        ),
        ["edges: these nodes form a cycle: `a`, `b`"]
    );
}

#[test]
fn a_loop_needs_a_body() {
    let expected = ["nodes[1]: a loop needs an edge from the handle `each`"];
    assert_eq!(problems(&["s > l", "l.done > a"], &[]), expected);
}

#[test]
fn an_output_is_outside_of_loops() {
    assert_eq!(
        problems(&["s > l", "l.each > o"], &[]),
        ["nodes[2].type: an output node cannot be in the body of loop `l`"]
    );
}

#[test]
fn loops_nest_three_deep() {
    let edges = [
        "s > l1",
        "l1.each > l2",
        "l2.each > l3",
        "l3.each > l4",
        "l4.each > a",
        "a > l4.next",
    ];
    assert_eq!(
        problems(&edges, &[]),
        ["nodes[4].type: loops are nested at most 3 deep"]
    );
    let three = [
        "s > l1",
        "l1.each > l2",
        "l2.each > l3",
        "l3.each > a",
        "a > l3.next",
    ];
    assert_eq!(problems(&three, &[]), [""; 0]);
}

#[test]
fn expressions_in_a_body_use_what_is_before_and_around() {
    let uses = |user: &str, value: &str| problems(&NESTED, &[(user, value)]);
    for id in ["s", "a"] {
        assert_eq!(
            uses("b", &format!("${{nodes.{id}.output}}")),
            [""; 0],
            "{id}"
        );
    }
    assert_eq!(uses("c", "${nodes.l2.output}"), [""; 0]);
    assert_eq!(uses("o", "${nodes.l.output}"), [""; 0]);
    assert_eq!(
        uses("b", "${nodes.c.output}"),
        ["nodes[4].data.value: node `c` does not run before this one"]
    );
    assert_eq!(
        uses("b", "${nodes.z.output}"),
        ["nodes[4].data.value: node `z` does not run before this one"]
    );
}

#[test]
fn expressions_outside_of_a_body_use_the_output_of_the_loop() {
    let uses = |user: &str, value: &str| problems(&NESTED, &[(user, value)]);
    assert_eq!(
        uses("z", "${nodes.a.output}"),
        ["nodes[6].data.value: node `a` runs inside loop `l`: use the output of the loop"]
    );
    assert_eq!(
        uses("z", "${nodes.b.output}"),
        ["nodes[6].data.value: node `b` runs inside loop `l`: use the output of the loop"]
    );
    assert_eq!(
        uses("c", "${nodes.b.output}"),
        ["nodes[5].data.value: node `b` runs inside loop `l2`: use the output of the loop"]
    );
}

#[test]
fn a_loop_has_no_output_in_its_own_body() {
    let uses = |user: &str, value: &str| problems(&NESTED, &[(user, value)]);
    assert_eq!(
        uses("b", "${nodes.l.output} ${nodes.l2.output}"),
        ["l", "l2"].map(|id| {
            format!("nodes[4].data.value: loop `{id}` has no output inside its own body")
        })
    );
}

#[test]
fn an_item_is_there_in_its_loop_only() {
    let uses = |user: &str, value: &str| problems(&NESTED, &[(user, value)]);
    for user in ["a", "b", "c", "l2"] {
        assert_eq!(
            uses(user, "${item} ${index} ${loops.l.item}"),
            [""; 0],
            "{user}"
        );
    }
    assert_eq!(uses("b", "${loops.l2.index + loops.l.index}"), [""; 0]);
    assert_eq!(
        uses("z", "${item}"),
        ["nodes[6].data.value: `item` and `index` are there in the body of a loop only"]
    );
    assert_eq!(
        uses("l", "${index}"),
        ["nodes[1].data.items: `item` and `index` are there in the body of a loop only"]
    );
    assert_eq!(
        uses("z", "${loops.l.item}"),
        ["nodes[6].data.value: loop `l` is not around this node"]
    );
    assert_eq!(
        uses("c", "${loops.l2.item}"),
        ["nodes[5].data.value: loop `l2` is not around this node"]
    );
    assert_eq!(uses("z", "${[1].map(item, item + 1)}"), [""; 0]);
}
