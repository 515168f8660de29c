use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemExternCrate, ItemMod, ItemUse, Macro, Meta, UseTree,
    visit::{self, Visit},
};

use crate::source::{Source, is_test_only};

/// The paths that a file names outside of its tests, with `crate`, `self` and `super` resolved:
/// the first segment is a crate, a name of the standard library or a local name.
pub(crate) fn mentions(source: &Source) -> BTreeSet<Vec<String>> {
    let mut bound = Bound::default();
    bound.visit_file(&source.syntax);
    let mut collector = Collector {
        root: source.krate.clone(),
        module: source.module.clone(),
        bound: bound.0,
        found: BTreeSet::new(),
    };
    collector.visit_file(&source.syntax);
    collector.found
}

/// Names that stand for an imported item or a module of the file: a path that begins with one
/// was resolved where the name comes from.
#[derive(Default)]
struct Bound(BTreeSet<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        flatten(&item.tree, &mut Vec::new(), &mut |path, name| {
            // `use axum;` binds the crate itself and must not hide it.
            if path.len() > 1 || path.last() != name {
                self.0.extend(name.cloned());
            }
        });
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.0.insert(item.ident.to_string());
        visit::visit_item_mod(self, item);
    }
}

struct Collector {
    root: String,
    module: Vec<String>,
    bound: BTreeSet<String>,
    found: BTreeSet<Vec<String>>,
}

impl Collector {
    fn import(&mut self, path: &[String]) {
        if path.first().is_some_and(|first| is_relative(first)) || !self.is_bound(path) {
            let path = self.resolve(path);
            self.found.insert(path);
        }
    }

    fn mention(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.import(path);
        }
    }

    fn is_bound(&self, path: &[String]) -> bool {
        path.first().is_some_and(|first| self.bound.contains(first))
    }

    fn resolve(&self, path: &[String]) -> Vec<String> {
        let mut resolved = match path.first().map(String::as_str) {
            Some("crate") => vec![self.root.clone()],
            Some("self" | "super") => {
                let module = self.module.iter().cloned();
                [self.root.clone()].into_iter().chain(module).collect()
            }
            _ => return path.to_vec(),
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    resolved.pop();
                }
                _ => resolved.push(segment.clone()),
            }
        }
        resolved
    }

    /// Macro arguments are tokens, not syntax: every `a::b` in them counts.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.mention(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.mention(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.mention(&path);
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        flatten(&item.tree, &mut Vec::new(), &mut |path, _| {
            self.import(path)
        });
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        self.found.insert(vec![item.ident.to_string()]);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Vec<String> = segments.map(|segment| segment.ident.to_string()).collect();
        self.mention(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.scan(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }
}

fn is_relative(segment: &str) -> bool {
    matches!(segment, "crate" | "self" | "super")
}

/// Calls `leaf` with each path of a `use` and the name that it binds; a glob binds none.
fn flatten(
    tree: &UseTree,
    prefix: &mut Vec<String>,
    leaf: &mut impl FnMut(&[String], Option<&String>),
) {
    let depth = prefix.len();
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, leaf);
        }
        UseTree::Group(group) => {
            for item in &group.items {
                flatten(item, prefix, leaf);
            }
        }
        UseTree::Glob(_) => leaf(prefix, None),
        UseTree::Name(name) => {
            push_name(prefix, name.ident.to_string());
            leaf(prefix, prefix.last());
        }
        UseTree::Rename(rename) => {
            push_name(prefix, rename.ident.to_string());
            leaf(prefix, Some(&rename.rename.to_string()));
        }
    }
    prefix.truncate(depth);
}

/// `a::{self}` is `a`.
fn push_name(prefix: &mut Vec<String>, name: String) {
    if name != "self" || prefix.is_empty() {
        prefix.push(name);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
