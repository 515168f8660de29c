//! Tables of environment variables.

use super::Names;

/// The variables of a README.
pub(super) struct Variables {
    /// Those that mean something on Cloud Run.
    pub(super) needed: Names,
    /// Those of them without which nothing starts.
    pub(super) required: Names,
    /// Those that have two rows.
    pub(super) doubled: Names,
    /// Whether there are more, which another README tells.
    pub(super) is_open: bool,
}

impl Variables {
    /// Reads the rows of the tables of variables.
    pub(super) fn read(readme: &str) -> Self {
        let mut found = Self {
            needed: Names::new(),
            required: Names::new(),
            doubled: Names::new(),
            is_open: false,
        };
        let mut seen = Names::new();
        let mut is_in_table = false;
        for line in readme.lines() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if !line.starts_with('|') || cells.len() < 2 {
                is_in_table = false;
            } else if cells[0] == "variable" {
                is_in_table = true;
            } else if is_in_table {
                let again = names(cells[0]).filter(|name| !seen.insert(name.clone()));
                found.doubled.extend(again);
                if !line.contains("refused on Cloud Run") {
                    found.add(&cells);
                }
            }
        }
        found
    }

    fn add(&mut self, cells: &[&str]) {
        self.needed.extend(names(cells[0]));
        if cells.last() == Some(&"required") {
            self.required.extend(names(cells[0]));
        }
        self.is_open |= cells[0].ends_with('…');
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = String> {
        self.needed.iter().cloned()
    }
}

/// The names between backticks.
fn names(cell: &str) -> impl Iterator<Item = String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let is_name = |name: &&str| {
        let mut characters = name.chars();
        characters.all(|character| matches!(character, 'A'..='Z' | '0'..='9' | '_'))
    };
    quoted.filter(is_name).map(str::to_owned)
}

#[test]
fn stand_ins_are_left_out_and_what_another_readme_tells_is_open() {
    let variables = Variables::read(
        "| variable | meaning | default |\n|---|---|---|\n\
         | `A_KEY`, `B_KEY` | keys; each with a `…_URL` | none |\n\
         | `D_QUEUE` | a queue | required |\n\
         | `A_EMULATOR` | emulator, refused on Cloud Run | |\n\
         | `C_URL` … | as for `other` | |\n\
         \n| `NO_ROW` | x |\n",
    );
    let all: Vec<_> = variables.all().collect();
    assert_eq!(all, ["A_KEY", "B_KEY", "C_URL", "D_QUEUE"]);
    assert_eq!(Vec::from_iter(variables.required), ["D_QUEUE"]);
    assert!(variables.is_open);
    assert!(variables.doubled.is_empty());
}

#[test]
fn what_has_two_rows_is_noticed_whatever_they_tell() {
    let variables = Variables::read(
        "| variable | meaning | default |\n|---|---|---|\n\
         | `A_KEY`, `B_KEY` | keys | required |\n\
         | `C_EMULATOR` | emulator, refused on Cloud Run | |\n\
         | `D_URL` | a URL | none |\n\
         \n| variable | meaning | default |\n|---|---|---|\n\
         | `B_KEY` | a key | none |\n\
         | `C_EMULATOR` | emulator, refused on Cloud Run | |\n",
    );
    assert_eq!(Vec::from_iter(variables.doubled), ["B_KEY", "C_EMULATOR"]);
}
