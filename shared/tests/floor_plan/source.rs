use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{Item, Meta};

/// One file of the tree.
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    /// The crate, as its name stands in a path.
    pub(crate) krate: String,
    /// The module below the crate's root.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

/// The files of `shared` and of the functions, those for tests left out.
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
}

impl Source {
    /// `path` is `shared/src/…` or `functions/<name>/src/…`.
    pub(crate) fn parse(path: &str, text: String) -> Self {
        let (package, file) = path.split_once("/src/").expect("a path below src");
        let name = package.rsplit('/').next().unwrap_or_default();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            krate: name.replace('-', "_"),
            module: module(file),
            text,
            syntax,
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.krate == "shared"
    }

    /// The module of `shared` that the file belongs to.
    pub(crate) fn shared_module(&self) -> Option<&str> {
        let first = self.module.first().map(String::as_str);
        first.filter(|_| self.is_shared())
    }

    /// From the package's `src`.
    pub(crate) fn file(&self) -> &str {
        self.path.split_once("/src/").map_or("", |(_, file)| file)
    }

    /// The modules that the file declares in files of their own for tests only.
    fn test_modules(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        let declared = self.syntax.items.iter().filter_map(|item| match item {
            Item::Mod(item) if item.content.is_none() && is_test_only(&item.attrs) => {
                Some(item.ident.to_string())
            }
            _ => None,
        });
        declared.map(|name| {
            let module = self.module.iter().cloned().chain([name]);
            (self.krate.clone(), module.collect())
        })
    }
}

impl Tree {
    pub(crate) fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        collect(&root.join("shared/src"), &mut files);
        for function in children(&root.join("functions")) {
            collect(&function.join("src"), &mut files);
        }
        let all = files.iter().map(|file| {
            let path = file.strip_prefix(&root).expect("a path below the root");
            let path = path.to_string_lossy().replace('\\', "/");
            Source::parse(&path, fs::read_to_string(file).expect("a readable file"))
        });
        Self::without_tests(all.collect())
    }

    pub(crate) fn without_tests(mut sources: Vec<Source>) -> Self {
        let tests: BTreeSet<_> = sources.iter().flat_map(Source::test_modules).collect();
        sources.retain(|source| {
            let below = |(krate, module): &(String, Vec<String>)| {
                source.krate == *krate && source.module.starts_with(module)
            };
            !tests.iter().any(below)
        });
        Self { sources }
    }
}

/// Whether an item exists in test builds only. Code behind the feature `testing` is not exempt.
pub(crate) fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test ,")
        }
        Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}

/// `lib.rs` and `main.rs` are roots, `store/agents.rs` is `store::agents`.
fn module(file: &str) -> Vec<String> {
    let segments = file.trim_end_matches(".rs").split('/');
    let is_root = matches!(file, "lib.rs" | "main.rs");
    segments.filter(|_| !is_root).map(str::to_owned).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for child in children(directory) {
        if child.is_dir() {
            collect(&child, files);
        } else if child.extension().is_some_and(|extension| extension == "rs") {
            files.push(child);
        }
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut children: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    children.sort();
    children
}
