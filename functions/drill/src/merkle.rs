//! The root of a tree of hashes, leaf by leaf (RFC 6962 section 2.1). It holds as many nodes as the
//! number of leaves has digits in base two.

use sha2::{Digest, Sha256};

use crate::canonical::Hash;

/// What stands before the two children of a node.
const NODE: u8 = 1;

/// A tree that grows to the right.
#[derive(Default)]
pub(crate) struct Tree {
    leaves: u64,
    /// Roots of full trees, the largest first.
    full: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.full.pop() {
                node = parent(&left, &node);
            }
        }
        self.full.push(node);
        self.leaves += 1;
    }

    /// How many leaves there are.
    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root; that of no leaves is the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut smallest_first = self.full.iter().rev();
        let Some(smallest) = smallest_first.next() else {
            return Sha256::digest([]).into();
        };
        smallest_first.fold(*smallest, |right, left| parent(left, &right))
    }
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([NODE]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 6962 defines it.
    fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                parent(&root_of(left), &root_of(right))
            }
        }
    }

    #[test]
    fn a_root_is_that_of_the_definition() {
        let leaves: Vec<Hash> = (0..70_u8).map(|n| Sha256::digest([0, n]).into()).collect();
        for count in 0..=leaves.len() {
            let mut tree = Tree::default();
            leaves[..count].iter().for_each(|leaf| tree.push(*leaf));
            assert_eq!(tree.root(), root_of(&leaves[..count]), "{count}");
            assert_eq!(tree.leaves(), count as u64);
        }
    }
}
