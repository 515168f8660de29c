//! What is in the account at first: `emulator-tests/stubs/google`.

use shared::testing::FakeAccount;

/// Messages (RFC 5322), oldest first.
const MAILS: [&str; 2] = [
    include_str!("../../../stubs/google/order.eml"),
    include_str!("../../../stubs/google/invoice.eml"),
];

/// Files: name, type, content.
const FILES: [(&str, &str, &str); 2] = [
    (
        "Company handbook",
        "application/vnd.google-apps.document",
        include_str!("../../../stubs/google/handbook.md"),
    ),
    (
        "prices.csv",
        "text/csv",
        include_str!("../../../stubs/google/prices.csv"),
    ),
];

pub(super) fn fill(account: &FakeAccount) {
    for mail in MAILS {
        // RFC 5322 lines end with CRLF; the files end theirs as their checkout does.
        let mail = mail.replace("\r\n", "\n").replace('\n', "\r\n");
        account.deliver_raw(mail);
    }
    for (name, mime_type, content) in FILES {
        account.create_file(name, mime_type, content);
    }
}
