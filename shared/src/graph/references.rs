//! Checks that expressions use outputs that are there when they are evaluated.

use std::collections::HashMap;

use super::{Problem, draft::Draft, fields::Used, scopes::Scopes, topology::Topology};

const NO_LOOP: &str = "`item` and `index` are there in the body of a loop only";

/// Nodes whose followers are found at the same time: one bit each.
const BATCH: usize = 64;

/// The outputs that expressions use are those of nodes that run before, in the same body or
/// around it; the items are those of loops around.
pub(super) fn check(
    drafts: &[Draft],
    positions: &HashMap<&str, usize>,
    topology: &Topology,
    scopes: &Scopes,
    problems: &mut Vec<Problem>,
) {
    let uses = uses(drafts, positions);
    let mut is_before = connected(&uses, topology, drafts.len()).into_iter();
    for (user, draft) in drafts.iter().enumerate() {
        for reference in &draft.references {
            let message = match &reference.used {
                Used::Output(id) => match positions.get(id.as_str()) {
                    None => Some(format!("there is no node `{id}`")),
                    Some(used) => {
                        let is_before = is_before.next().unwrap_or_default();
                        output_refusal(drafts, scopes, *used, user, is_before)
                    }
                },
                Used::Loop(id) => {
                    let is_around = scopes.around(user).any(|around| drafts[around].id == *id);
                    (!is_around).then(|| format!("loop `{id}` is not around this node"))
                }
                Used::Item => scopes.loop_of(user).is_none().then(|| NO_LOOP.to_owned()),
            };
            let problem = message.map(|it| Problem::of_node(&draft.id, &reference.field, it));
            problems.extend(problem);
        }
    }
}

/// The known nodes whose outputs are used, each with the node that uses it.
fn uses(drafts: &[Draft], positions: &HashMap<&str, usize>) -> Vec<(usize, usize)> {
    let mut uses = Vec::new();
    for (user, draft) in drafts.iter().enumerate() {
        let outputs = draft.references.iter().filter_map(|it| match &it.used {
            Used::Output(id) => positions.get(id.as_str()),
            _ => None,
        });
        uses.extend(outputs.map(|used| (*used, user)));
    }
    uses
}

fn output_refusal(
    drafts: &[Draft],
    scopes: &Scopes,
    used: usize,
    user: usize,
    is_before: bool,
) -> Option<String> {
    let id = &drafts[used].id;
    let is_around = |node: usize| scopes.around(user).any(|around| around == node);
    if is_around(used) {
        return Some(format!("loop `{id}` has no output inside its own body"));
    }
    let foreign = scopes.around(used).filter(|around| !is_around(*around));
    if let Some(outermost) = foreign.last() {
        let outermost = &drafts[outermost].id;
        return Some(format!(
            "node `{id}` runs inside loop `{outermost}`: use the output of the loop"
        ));
    }
    (!is_before).then(|| format!("node `{id}` does not run before this one"))
}

/// Whether the first node of each pair leads to the second.
fn connected(pairs: &[(usize, usize)], topology: &Topology, node_count: usize) -> Vec<bool> {
    let mut ranks = vec![0; node_count];
    for (rank, node) in topology.order().iter().enumerate() {
        ranks[*node] = rank;
    }
    let tree = Tree::of(topology, node_count);
    let mut is_connected = vec![false; pairs.len()];
    let mut far = Vec::new();
    for (position, (first, second)) in pairs.iter().copied().enumerate() {
        if tree.leads(first, second) {
            is_connected[position] = first != second;
        } else if ranks[first] < ranks[second] {
            far.push(Pair::new(position, first, second));
        }
    }
    far.sort_unstable_by_key(|pair| ranks[pair.first]);
    number(&mut far);
    for batch in far.chunk_by(|one, other| one.number / BATCH == other.number / BATCH) {
        let bits = follow(batch, topology, &ranks);
        for pair in batch {
            is_connected[pair.position] = bits[pair.second] & pair.bit() != 0;
        }
    }
    is_connected
}

/// Every node with one of those right before it: what leads to what in the tree is known at once,
/// and that is most of it.
struct Tree {
    /// A node's place, right before those of all that it leads to.
    places: Vec<usize>,
    /// How many nodes it leads to, itself included.
    sizes: Vec<usize>,
}

impl Tree {
    fn of(topology: &Topology, node_count: usize) -> Self {
        let mut sizes = vec![1; node_count];
        for node in topology.order().iter().rev() {
            if let Some(parent) = topology.before(*node).next() {
                sizes[parent] += sizes[*node];
            }
        }
        let mut places = vec![0; node_count];
        let mut free_places = vec![0; node_count];
        let mut free_place = 0;
        for node in topology.order() {
            let parent = topology.before(*node).next();
            let free = parent.map_or(&mut free_place, |parent| &mut free_places[parent]);
            places[*node] = *free;
            *free += sizes[*node];
            free_places[*node] = places[*node] + 1;
        }
        Self { places, sizes }
    }

    fn leads(&self, first: usize, second: usize) -> bool {
        let place = self.places[first];
        (place..place + self.sizes[first]).contains(&self.places[second])
    }
}

/// Two nodes of which it is not clear yet whether the first leads to the second.
struct Pair {
    position: usize,
    first: usize,
    second: usize,
    /// Of the first node, among the different first nodes.
    number: usize,
}

impl Pair {
    fn new(position: usize, first: usize, second: usize) -> Self {
        Self {
            position,
            first,
            second,
            number: 0,
        }
    }

    fn bit(&self) -> u64 {
        1 << (self.number % BATCH)
    }
}

fn number(pairs: &mut [Pair]) {
    let mut number = 0;
    let mut last = None;
    for pair in pairs {
        if last.is_some_and(|last| last != pair.first) {
            number += 1;
        }
        last = Some(pair.first);
        pair.number = number;
    }
}

/// For each node, the bits of the first nodes that lead to it, in one pass over the edges between
/// the first and the last node concerned.
fn follow(batch: &[Pair], topology: &Topology, ranks: &[usize]) -> Vec<u64> {
    let mut own = vec![0; ranks.len()];
    for pair in batch {
        own[pair.first] |= pair.bit();
    }
    let from = batch.first().map_or(0, |pair| ranks[pair.first]);
    let to = batch.iter().map(|pair| ranks[pair.second]).max();
    let mut bits = vec![0; ranks.len()];
    for node in &topology.order()[from..=to.unwrap_or(from)] {
        let before = topology.before(*node);
        bits[*node] = before.fold(0, |all, before| all | bits[before] | own[before]);
    }
    bits
}
