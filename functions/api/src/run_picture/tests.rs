use proptest::prelude::*;
use serde_json::json;
use shared::{
    ids::OrgId,
    models::{StepIntent, StepResult, StepStatus},
};

use super::{
    layout::{HEIGHT, Layout, WIDTH},
    outcome::{Count, State},
    *,
};

/// Elements and attributes that a picture is made of: none of them loads or runs anything.
const ELEMENTS: &[&str] = &[
    "svg", "title", "defs", "marker", "path", "rect", "text", "g", "circle",
];
const ATTRIBUTES: &[&str] = &[
    "width",
    "height",
    "viewBox",
    "font-family",
    "role",
    "id",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "markerUnits",
    "orient",
    "d",
    "fill",
    "x",
    "y",
    "font-size",
    "font-weight",
    "transform",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "marker-end",
    "stroke-linecap",
    "stroke-linejoin",
    "rx",
    "cx",
    "cy",
    "r",
    "text-anchor",
    "letter-spacing",
];

fn at(millisecond: i64) -> Timestamp {
    jiff::Timestamp::from_millisecond(millisecond)
        .unwrap()
        .into()
}

fn step(node_id: &str, iteration: &str, status: StepStatus) -> Step {
    let has_result = !matches!(status, StepStatus::Running | StepStatus::Waiting);
    Step {
        node_id: node_id.to_owned(),
        iteration: iteration.to_owned(),
        kind: "transform".to_owned(),
        org_id: OrgId::derive(&["o"]),
        status,
        intent: StepIntent {
            attempt: 1,
            idempotency_key: String::new(),
            request_hash: String::new(),
            fence: 1,
            at: at(0),
            resume_at: None,
        },
        result: has_result.then(|| StepResult {
            output: Value::Null.into(),
            handle: "out".to_owned(),
            error: None,
            tokens: 0,
            cost_micro_usd: 0,
            duration_ms: 10,
            at: at(10),
        }),
    }
}

fn by(handle: &str, step: Step) -> Step {
    let result = step.result.map(|result| StepResult {
        handle: handle.to_owned(),
        ..result
    });
    Step { result, ..step }
}

fn nodes(ids: &[&str]) -> Vec<Value> {
    ids.iter()
        .map(|id| json!({ "id": id, "type": "transform", "data": {} }))
        .collect()
}

/// `a -> b`, and `a true> b` for another handle.
fn edges(texts: &[&str]) -> Vec<Value> {
    let edge = |text: &&str| {
        let words: Vec<&str> = text.split(' ').collect();
        let handle = words[1].strip_suffix('>').unwrap();
        let handle = (handle != "-").then_some(handle);
        let (target, end) = words[2].split_once(':').unwrap_or((words[2], "in"));
        json!({ "source": words[0], "target": target, "sourceHandle": handle, "targetHandle": end })
    };
    texts.iter().map(edge).collect()
}

fn head() -> Head {
    Head::new(ExecutionStatus::Running, at(0), at(1_500))
}

fn picture(ids: &[&str], connections: &[&str], steps: &[Step]) -> Picture {
    let title = "A title".to_owned();
    Picture::new(
        title,
        &nodes(ids),
        &edges(connections),
        Some((head(), steps)),
    )
}

fn outcome(picture: &Picture, place: usize) -> &Outcome {
    picture.nodes[place].outcome.as_ref().unwrap()
}

fn taken(picture: &Picture) -> Vec<bool> {
    let edges = picture.edges.iter();
    edges.map(|edge| edge.is_taken.unwrap()).collect()
}

/// A loop over three items with two nodes, of which one was done, one failed and one is under way.
fn looped() -> Picture {
    let mut steps = vec![
        step("start", "0", StepStatus::Succeeded),
        step("each", "0", StepStatus::Running),
    ];
    for (item, first, second) in [
        ("0.0", StepStatus::Succeeded, Some(StepStatus::Succeeded)),
        ("0.1", StepStatus::Succeeded, Some(StepStatus::Failed)),
        ("0.2", StepStatus::Running, None),
    ] {
        steps.push(step("one", item, first));
        steps.extend(second.map(|status| step("two", item, status)));
    }
    let connections = [
        "start -> each",
        "each each> one",
        "one -> two",
        "two -> each:next",
        "each done> end",
    ];
    picture(
        &["start", "each", "one", "two", "end"],
        &connections,
        &steps,
    )
}

#[test]
fn a_node_shows_its_state_its_time_and_its_attempts() {
    let mut failed = step("b", "0", StepStatus::Failed);
    failed.intent.attempt = 3;
    let steps = [
        step("a", "0", StepStatus::Succeeded),
        failed,
        step("c", "0", StepStatus::Waiting),
        step("d", "0", StepStatus::Skipped),
    ];
    let picture = picture(&["a", "b", "c", "d", "e"], &[], &steps);
    let shown: Vec<String> = (0..5)
        .map(|place| text::outcome(outcome(&picture, place)).join(", "))
        .collect();
    let expected = [
        "succeeded, 10 ms",
        "failed, 10 ms, 3 attempts",
        "waiting",
        "skipped",
        "not run",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn edges_are_taken_by_the_handle_that_a_node_came_to() {
    let steps = [
        by("true", step("a", "0", StepStatus::Succeeded)),
        step("b", "0", StepStatus::Failed),
        step("c", "0", StepStatus::Skipped),
    ];
    let connections = ["a true> b", "a false> c", "b -> d", "c -> d"];
    let picture = picture(&["a", "b", "c", "d"], &connections, &steps);
    assert_eq!(taken(&picture), [true, false, false, false]);
}

#[test]
fn a_failure_that_the_run_goes_on_after_takes_its_edge() {
    let mut nodes = nodes(&["a", "b", "c"]);
    nodes[0]["data"] = json!({ "onError": "branch" });
    let steps = [by("error", step("a", "0", StepStatus::Failed))];
    let edges = edges(&["a -> b", "a error> c"]);
    let picture = Picture::new(String::new(), &nodes, &edges, Some((head(), &steps)));
    assert_eq!(taken(&picture), [false, true]);
}

#[test]
fn a_loop_counts_its_items_and_its_body_its_rounds() {
    let picture = looped();
    let count = |done, failed, open| Some(Count { done, failed, open });
    assert_eq!(outcome(&picture, 1).count, count(1, 1, 1));
    assert_eq!(outcome(&picture, 2).count, count(2, 0, 1));
    assert_eq!(outcome(&picture, 3).count, count(1, 1, 0));
    assert_eq!(outcome(&picture, 2).state, State::Running);
    assert_eq!(outcome(&picture, 3).state, State::Failed);
    assert_eq!(taken(&picture), [true, true, true, true, false]);
}

#[test]
fn a_loop_in_a_loop_counts_the_items_of_all_its_rounds() {
    let mut steps = vec![step("outer", "0", StepStatus::Running)];
    for round in ["0.0", "0.1"] {
        steps.push(by("done", step("inner", round, StepStatus::Succeeded)));
        let item = |item: i32| step("work", &format!("{round}.{item}"), StepStatus::Succeeded);
        steps.extend((0..3).map(item));
    }
    let connections = [
        "outer each> inner",
        "inner each> work",
        "work -> inner:next",
        "inner done> outer:next",
    ];
    let picture = picture(&["outer", "inner", "work"], &connections, &steps);
    let done = |place| outcome(&picture, place).count.unwrap().done;
    assert_eq!([done(0), done(1), done(2)], [2, 6, 6]);
}

fn overlaps(layout: &Layout) -> bool {
    let corners = &layout.corners;
    (0..corners.len()).any(|one| {
        corners[one + 1..].iter().any(|other| {
            let (dx, dy) = (corners[one].x - other.x, corners[one].y - other.y);
            dx.abs() < WIDTH && dy.abs() < HEIGHT
        })
    })
}

fn at_positions(positions: &[(f64, f64)]) -> Picture {
    let nodes: Vec<Value> = positions
        .iter()
        .enumerate()
        .map(|(id, (x, y))| json!({ "id": id.to_string(), "position": { "x": x, "y": y } }))
        .collect();
    Picture::new(String::new(), &nodes, &[], None)
}

#[test]
fn the_editors_positions_are_kept_where_there_is_room() {
    let layout = Layout::of(&at_positions(&[
        (-100.0, 50.0),
        (200.0, 50.0),
        (200.0, 250.0),
    ]));
    let corners: Vec<_> = layout
        .corners
        .iter()
        .map(|corner| (corner.x, corner.y))
        .collect();
    assert_eq!(corners, [(0.0, 0.0), (300.0, 0.0), (300.0, 200.0)]);
}

#[test]
fn the_editors_positions_are_stretched_for_larger_boxes_but_not_too_far() {
    let layout = Layout::of(&at_positions(&[(0.0, 0.0), (160.0, 0.0), (0.0, 60.0)]));
    assert!(!overlaps(&layout));
    let corners = [layout.corners[1].x, layout.corners[2].y];
    assert_eq!(corners, [280.0, 105.0]);
    for positions in [
        vec![(0.0, 0.0), (1.0, 1.0)],
        vec![(0.0, 0.0), (0.0, 0.0)],
        vec![(0.0, 0.0), (1e300, 0.0)],
        vec![(-1e308, 0.0), (1e308, 0.0)],
    ] {
        let layout = Layout::of(&at_positions(&positions));
        assert!(
            !overlaps(&layout) && layout.extent().x < 1_000.0,
            "{positions:?}"
        );
    }
}

#[test]
fn the_way_back_of_a_loop_has_a_place_in_the_layers_between() {
    let layout = Layout::of(&looped());
    let [leaves, arrives] = layout.bends[3].as_slice() else {
        panic!("{:?}", layout.bends[3]);
    };
    assert!(leaves.x > arrives.x, "it leads to the left");
    for corner in [layout.corners[2], layout.corners[4]] {
        assert!(
            leaves.y < corner.y || leaves.y > corner.y + HEIGHT,
            "{leaves:?} {corner:?}"
        );
    }
}

#[test]
fn a_node_stands_right_of_those_before_it() {
    let connections = ["a -> b", "a -> c", "b -> d", "c -> d", "a -> d", "d -> e"];
    let layout = Layout::of(&picture(&["e", "d", "c", "b", "a"], &connections, &[]));
    let x = |place: usize| layout.corners[place].x;
    assert!(x(4) < x(3) && x(3) < x(1) && x(1) < x(0));
    assert_eq!(x(2).to_bits(), x(3).to_bits());
    assert_eq!(
        layout.bends[4].len(),
        2,
        "the edge over a layer has its place in it"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Cycles, doubles and edges to oneself included: clients save what they like.
    #[test]
    fn no_boxes_overlap_whatever_the_graph(
        size in 1_usize..40,
        ends in prop::collection::vec((0_usize..40, 0_usize..40, any::<bool>()), 0..120),
    ) {
        let ids: Vec<String> = (0..size).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let edges: Vec<Value> = ends
            .iter()
            .map(|(source, target, is_back)| json!({
                "source": (source % size).to_string(),
                "target": (target % size).to_string(),
                "targetHandle": if *is_back { "next" } else { "in" },
            }))
            .collect();
        let picture = Picture::new(String::new(), &nodes(&ids), &edges, None);
        let layout = Layout::of(&picture);
        prop_assert!(!overlaps(&layout));
        prop_assert!(layout.corners.iter().all(|corner| corner.x >= 0.0 && corner.y >= 0.0));
        let svg = to_svg(&picture);
        prop_assert!(roxmltree::Document::parse(&svg).is_ok());
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn texts_of_users_are_only_ever_texts(
        title in hostile(),
        label in hostile(),
        kind in hostile(),
        handle in hostile(),
        with_run in any::<bool>(),
    ) {
        let nodes = [
            json!({ "id": "a", "type": kind, "data": { "label": label } }),
            json!({ "id": "b", "type": kind, "data": { "label": label } }),
        ];
        let edges = [json!({ "source": "a", "target": "b", "sourceHandle": handle })];
        let run = with_run.then(|| (head(), &[][..]));
        let picture = Picture::new(title, &nodes, &edges, run);
        assert_is_harmless_svg(&to_svg(&picture));
        assert_is_harmless_mermaid(&to_mermaid(&picture), with_run);
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let attacks = prop::sample::select(vec![
        "</text><script>alert(1)</script>",
        "]]><!-- <![CDATA[",
        "\" onload=\"alert(1)",
        "'><image href=x onerror=alert(1)>",
        "&lt;script&gt; &#x3c;",
        "<?xml-stylesheet href=x?><!DOCTYPE a>",
        "\"]\n    click n0 call alert(1)",
        "\"]:::x\nstyle n0 fill:red",
        "%%{init: {\"securityLevel\": \"loose\"}}%%",
        "`**bold** [link](javascript:alert(1))`",
        "1. list\n2. list",
        "end #quot;]; n0 --> n1 | } ) (",
        "\u{0}\u{8}\u{1b}\u{fffe}\u{ffff}\u{7f}\u{85}\u{2028}",
        "אב 请求 🚀 e\u{301}",
    ]);
    prop_oneof![
        attacks.prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,40}"
    ]
}

fn assert_is_harmless_svg(svg: &str) {
    let document = roxmltree::Document::parse(svg).unwrap();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.contains(&name), "{name} in {svg}");
        for attribute in node.attributes() {
            assert!(
                ATTRIBUTES.contains(&attribute.name()),
                "{attribute:?} in {svg}"
            );
        }
    }
    assert!(
        document
            .descendants()
            .all(|node| !node.is_comment() && !node.is_pi())
    );
}

/// Every line is one that we write, with nothing but letters, digits and numbered characters in
/// its quotation marks.
fn assert_is_harmless_mermaid(mermaid: &str, with_run: bool) {
    let lines: Vec<&str> = mermaid.lines().collect();
    assert_eq!(lines.len(), if with_run { 9 } else { 4 }, "{mermaid}");
    for line in &lines[1..4] {
        let mut parts = line.split('"');
        let (before, quoted) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let after = parts.next().unwrap_or_default();
        assert!(parts.next().is_none(), "{line}");
        let before = before.trim_start();
        assert!(
            [
                "n0[",
                "n1[",
                "n0 -.->|",
                "n0 -->|",
                "n0 --> n1",
                "n0 -.-> n1"
            ]
            .contains(&before),
            "{line}"
        );
        assert!(["]", "]:::pending", "| n1", ""].contains(&after), "{line}");
        let text = quoted.replacen("<br/>", "", 1).replace("<br/>not run", "");
        let is_plain = |c: char| c.is_alphanumeric() || " ,…#;".contains(c);
        assert!(text.chars().all(is_plain), "{line}");
    }
}

#[test]
fn labels_come_out_as_they_went_in() {
    let label = "Charge <b> & \"tell\" 'Ada'";
    let nodes = [json!({ "id": "a", "data": { "label": label } })];
    let picture = Picture::new(String::new(), &nodes, &[], None);
    let svg = to_svg(&picture);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let titles = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")));
    let titles: Vec<_> = titles.filter_map(|node| node.text()).collect();
    assert_eq!(titles, [format!("{label} ()")]);
}

#[test]
fn the_legend_has_the_states_that_are_shown() {
    let mermaid = to_mermaid(&looped());
    let legend: Vec<&str> = mermaid
        .lines()
        .filter(|line| line.contains("legend_"))
        .map(str::trim)
        .collect();
    let expected = [
        "legend_succeeded[\"succeeded\"]:::succeeded",
        "legend_failed[\"failed\"]:::failed",
        "legend_running[\"running\"]:::running",
        "legend_pending[\"not run\"]:::pending",
    ];
    assert_eq!(legend, expected);
}

#[test]
fn a_graph_of_the_largest_size_is_drawn() {
    let ids: Vec<String> = (0..500).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let edge = |place: usize| {
        let (source, target) = (place * 7 % 499, place * 13 % 500);
        json!({ "source": source.min(target).to_string(), "target": source.max(target).to_string() })
    };
    let edges: Vec<Value> = (0..2_000).map(edge).collect();
    let picture = Picture::new(String::new(), &nodes(&ids), &edges, None);
    assert!(!overlaps(&Layout::of(&picture)));
    assert_is_harmless_svg(&to_svg(&picture));
}
