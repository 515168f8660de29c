use crate::source::Source;

/// `house-style.md` section 4.
const MAX_LINES: usize = 400;
const MAX_MAIN_LINES: usize = 25;

const VAGUE_NAMES: [&str; 8] = [
    "common", "helper", "helpers", "misc", "mod", "shared", "util", "utils",
];

/// What is wrong with a file's name or length.
pub(crate) fn check(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for name in source.file().trim_end_matches(".rs").split('/') {
        if VAGUE_NAMES.contains(&name) {
            problems.push(format!("`{name}` says nothing"));
        }
    }
    let max = match source.file() {
        "main.rs" => MAX_MAIN_LINES,
        _ => MAX_LINES,
    };
    let lines = lines_without_tests(&source.text);
    if lines > max {
        problems.push(format!(
            "has {lines} lines without tests; {max} are the most"
        ));
    }
    problems
}

/// Tests are the last item of a file.
fn lines_without_tests(text: &str) -> usize {
    let code = text.split("\n#[cfg(test)]\nmod tests").next();
    code.unwrap_or_default().lines().count()
}
