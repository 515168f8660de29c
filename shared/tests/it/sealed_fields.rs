//! The registry of sealed fields against the models themselves.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;
use shared::{
    models::{Integration, Sealed},
    vault::{SealedFields, SealedModel},
};
use syn::visit::{self, Visit};

/// Fields of models whose type holds a [`Sealed`].
#[derive(Default)]
struct Found(BTreeSet<(String, String)>);

impl<'ast> Visit<'ast> for Found {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.look(&item.ident, &item.fields);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        for variant in &item.variants {
            self.look(&item.ident, &variant.fields);
        }
    }
}

impl Found {
    fn look(&mut self, owner: &syn::Ident, fields: &syn::Fields) {
        for (number, field) in fields.iter().enumerate() {
            let mut mention = Mention(false);
            mention.visit_type(&field.ty);
            if mention.0 {
                let name = field.ident.as_ref().map(ToString::to_string);
                let name = name.unwrap_or_else(|| number.to_string());
                self.0.insert((owner.to_string(), name));
            }
        }
    }
}

/// Whether a type mentions [`Sealed`] anywhere.
struct Mention(bool);

impl<'ast> Visit<'ast> for Mention {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0 |= segment.ident == "Sealed";
        visit::visit_path_segment(self, segment);
    }
}

fn sealed_fields(source: &str) -> BTreeSet<(String, String)> {
    let mut found = Found::default();
    found.visit_file(&syn::parse_file(source).unwrap());
    found.0
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let owned = |(model, field): &(&str, &str)| ((*model).to_owned(), (*field).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn each_sealed_field_of_the_models_is_registered() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/models");
    let mut sources = vec![models.with_extension("rs")];
    let files = fs::read_dir(models).unwrap();
    let files = files.map(|file| file.unwrap().path());
    // A folder holds the tests of a model.
    sources.extend(files.filter(|file| file.is_file()));
    let texts = sources.iter().map(|file| fs::read_to_string(file).unwrap());
    let found: BTreeSet<_> = texts.flat_map(|text| sealed_fields(&text)).collect();
    let registered = SealedModel::ALL.map(|model| {
        let field = |field: &&'static str| (model.name(), *field);
        model.fields().iter().map(field).collect::<Vec<_>>()
    });
    assert_eq!(found, pairs(&registered.concat()));
}

#[test]
fn a_sealed_field_is_found_in_whatever_holds_it() {
    let source = "
        struct A { a: Sealed, b: String, c: Option<Sealed> }
        struct B(u8, super::Sealed);
        enum C { One { d: Vec<Box<Sealed>> }, Two(SealedFields) }
    ";
    let expected = [("A", "a"), ("A", "c"), ("B", "1"), ("C", "d")];
    assert_eq!(sealed_fields(source), pairs(&expected));
}

#[test]
fn each_sealed_field_has_its_place_and_can_be_replaced() {
    let mut integration: Integration = serde_json::from_value(json!({
        "id": "i1", "orgId": "o1", "ownerUid": "u1", "service": "github",
        "accountLabel": "a", "credentials": "old", "status": "connected",
    }))
    .unwrap();
    let [(place, text)] = integration.sealed()[..] else {
        panic!("not one");
    };
    let parts = [
        place.org_id,
        place.integration_id,
        place.service,
        place.field,
    ];
    assert_eq!(parts, ["o1", "i1", "github", "credentials"]);
    assert_eq!(text.as_str(), "old");
    assert_eq!(format!("{text:?}"), "Sealed(…)");
    for text in integration.sealed_mut() {
        *text = Sealed::from("new");
    }
    assert_eq!(integration.credentials, "new".into());
}
