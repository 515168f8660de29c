use super::{Action, Effect, Field, FieldKind};
use crate::models::IntegrationService;

const OWNER: Field = Field::required("owner", FieldKind::Text, "The account of the repository.");
const REPO: Field = Field::required("repo", FieldKind::Text, "The repository.");
const NUMBER: Field = Field::required(
    "number",
    FieldKind::Integer {
        least: 1,
        most: i64::MAX,
    },
    "The number of the issue or pull request.",
);

const fn action(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    fields: &'static [Field],
) -> Action {
    Action {
        name,
        service: IntegrationService::Github,
        title,
        description,
        effect,
        asks_first: false,
        scopes: &[],
        fields,
    }
}

/// What agents and workflows do at GitHub.
pub(super) const ACTIONS: &[Action] = &[
    action(
        "github.issues.list",
        "List issues",
        "Lists issues of a repository, the newest first.",
        Effect::Read,
        &[
            OWNER,
            REPO,
            Field::optional(
                "state",
                FieldKind::Choice(&["open", "closed", "all"]),
                "Which ones; `open` unless told.",
            ),
            Field::optional("labels", FieldKind::Texts, "Labels that they all have."),
            Field::optional(
                "limit",
                FieldKind::Integer {
                    least: 1,
                    most: 1_000,
                },
                "The most issues; 100 unless told.",
            ),
        ],
    ),
    action(
        "github.issues.create",
        "Create an issue",
        "Opens an issue.",
        Effect::Once,
        &[
            OWNER,
            REPO,
            Field::required("title", FieldKind::Text, "The title."),
            Field::optional("body", FieldKind::Text, "The text, as Markdown."),
            Field::optional("labels", FieldKind::Texts, "Labels."),
            Field::optional("assignees", FieldKind::Texts, "Who is to see to it."),
        ],
    ),
    action(
        "github.comments.create",
        "Comment",
        "Comments on an issue or a pull request.",
        Effect::Once,
        &[
            OWNER,
            REPO,
            NUMBER,
            Field::required("body", FieldKind::Text, "The text, as Markdown."),
        ],
    ),
    action(
        "github.files.get",
        "Read a file",
        "Reads a text file of a repository.",
        Effect::Read,
        &[
            OWNER,
            REPO,
            Field::required("path", FieldKind::Text, "Where it is."),
            Field::optional("ref", FieldKind::Text, "Branch, tag or commit."),
        ],
    ),
    Action {
        asks_first: true,
        ..action(
            "github.files.put",
            "Write a file",
            "Commits a text file to a branch, in the place of one that is there.",
            Effect::Once,
            &[
                OWNER,
                REPO,
                Field::required("path", FieldKind::Text, "Where it is."),
                Field::required("content", FieldKind::Text, "What is in it."),
                Field::required("message", FieldKind::Text, "The message of the commit."),
                Field::optional(
                    "branch",
                    FieldKind::Text,
                    "The branch; the default one unless told.",
                ),
            ],
        )
    },
];
