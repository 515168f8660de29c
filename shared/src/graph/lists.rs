/// Lists by position, without an allocation of its own for each.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// Where each list begins, and where the last one ends.
    bounds: Vec<usize>,
    items: Vec<usize>,
}

impl Lists {
    /// So many lists, out of pairs of a list and an item of it, in their order.
    pub(super) fn group(count: usize, pairs: &[(usize, usize)]) -> Self {
        let mut bounds = vec![0; count + 1];
        for (list, _) in pairs {
            bounds[list + 1] += 1;
        }
        for list in 0..count {
            bounds[list + 1] += bounds[list];
        }
        let mut ends = bounds.clone();
        let mut items = vec![0; pairs.len()];
        for (list, item) in pairs {
            items[ends[*list]] = *item;
            ends[*list] += 1;
        }
        Self { bounds, items }
    }

    /// The items of a list.
    pub(super) fn get(&self, list: usize) -> &[usize] {
        &self.items[self.bounds[list]..self.bounds[list + 1]]
    }
}
