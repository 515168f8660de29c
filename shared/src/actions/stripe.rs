use super::{Action, Effect, Field, FieldKind};
use crate::models::IntegrationService;

const CUSTOMER: Field = Field::required("customer", FieldKind::Text, "Stripe's id, `cus_…`.");
const LIMIT: Field = Field::optional(
    "limit",
    FieldKind::Integer {
        least: 1,
        most: 1_000,
    },
    "The most of them; 100 unless told.",
);
const AMOUNT: Field = Field::required(
    "amount",
    FieldKind::Integer {
        least: 1,
        most: 99_999_999,
    },
    "In the currency's smallest unit.",
);
const CURRENCY: Field =
    Field::required("currency", FieldKind::Text, "Three letters, such as `eur`.");

const fn action(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    fields: &'static [Field],
) -> Action {
    Action {
        name,
        service: IntegrationService::Stripe,
        title,
        description,
        effect,
        asks_first: matches!(effect, Effect::Keyed),
        scopes: &[],
        fields,
    }
}

/// What agents and workflows do in the organization's own Stripe account.
pub(super) const ACTIONS: &[Action] = &[
    action(
        "stripe.charges.list",
        "List charges",
        "Lists charges, the newest first.",
        Effect::Read,
        &[
            Field::optional(
                "customer",
                FieldKind::Text,
                "Only those of a customer, `cus_…`.",
            ),
            LIMIT,
        ],
    ),
    action(
        "stripe.charges.refund",
        "Refund a charge",
        "Pays a charge back, in part or as a whole.",
        Effect::Keyed,
        &[
            Field::required("charge", FieldKind::Text, "Stripe's id, `ch_…`."),
            Field::optional(
                "amount",
                FieldKind::Integer {
                    least: 1,
                    most: 99_999_999,
                },
                "In the currency's smallest unit; all unless told.",
            ),
        ],
    ),
    action(
        "stripe.invoices.list",
        "List invoices",
        "Lists invoices, the newest first.",
        Effect::Read,
        &[
            Field::optional(
                "customer",
                FieldKind::Text,
                "Only those of a customer, `cus_…`.",
            ),
            Field::optional(
                "status",
                FieldKind::Choice(&["draft", "open", "paid", "uncollectible", "void"]),
                "Only those in this state.",
            ),
            LIMIT,
        ],
    ),
    action(
        "stripe.invoices.create",
        "Create an invoice",
        "Makes a draft invoice with one item.",
        Effect::Keyed,
        &[
            CUSTOMER,
            AMOUNT,
            CURRENCY,
            Field::required("item", FieldKind::Text, "What is billed."),
            Field::optional(
                "daysUntilDue",
                FieldKind::Integer {
                    least: 0,
                    most: 365,
                },
                "Time to pay; 30 days unless told.",
            ),
        ],
    ),
    action(
        "stripe.invoices.send",
        "Send an invoice",
        "Finalizes a draft invoice and mails it to the customer.",
        Effect::Keyed,
        &[Field::required(
            "invoice",
            FieldKind::Text,
            "Stripe's id, `in_…`.",
        )],
    ),
];
