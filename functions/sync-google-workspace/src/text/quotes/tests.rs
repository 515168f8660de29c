use super::trim;

#[track_caller]
fn assert_kept(mail: &str, kept: &str) {
    assert_eq!(trim(mail, "Re: Offer"), kept);
}

#[test]
fn quoted_replies_are_trimmed_in_every_language() {
    let attributions = [
        "On Mon, Jan 5, 2026 at 10:02\u{202f}AM Ada Byron <ada@example.com> wrote:",
        "On 5 Jan 2026, at 10:02, Ada Byron <ada@example.com> wrote:",
        "On 05/01/2026 10:02, Ada Byron wrote:",
        "Am Mo., 5. Jan. 2026 um 10:02 Uhr schrieb Ada Byron <ada@example.com>:",
        "Am 05.01.2026 um 10:02 schrieb Ada Byron:",
        "Le lun. 5 janv. 2026 à 10:02, Ada Byron <ada@example.com> a écrit\u{a0}:",
        "Le 5 janv. 2026 à 10:02, Ada Byron a écrit :",
        "El lun, 5 ene 2026 a las 10:02, Ada Byron (<ada@example.com>) escribió:",
        "Il giorno lun 5 gen 2026 alle ore 10:02 Ada Byron <ada@example.com> ha scritto:",
        "Op ma 5 jan 2026 om 10:02 schreef Ada Byron <ada@example.com>:",
        "Op 5 jan. 2026, om 10:02 heeft Ada Byron het volgende geschreven:",
        "Ada Byron <ada@example.com> schrieb am 5. Jan.:",
        "On Mon, Jan 5, 2026 at 10:02 AM Ada Byron Countess of Lovelace\n<ada@example.com> wrote:",
    ];
    for attribution in attributions {
        assert_kept(
            &format!("Yes.\n\n{attribution}\n> May I?\n>\n>> No.\n"),
            "Yes.",
        );
        assert_kept(&format!("Yes.\n\n{attribution}\n\nMay I?\nAda"), "Yes.");
    }
}

#[test]
fn outlooks_heads_are_trimmed_in_every_language() {
    let heads = [
        "From: Ada Byron <ada@example.com>\nSent: Monday, 5 January 2026 10:02\nTo: Bob\nSubject: Offer",
        "*From:* Ada Byron\n*Sent:* Monday\n*To:* Bob\n*Subject:* Offer",
        "Von: Ada Byron\nGesendet: Montag, 5. Januar 2026 10:02\nAn: Bob\nBetreff: Angebot",
        "De\u{a0}: Ada Byron\nEnvoyé\u{a0}: lundi 5 janvier 2026\nÀ\u{a0}: Bob\nObjet\u{a0}: Offre",
        "De: Ada Byron\nEnviado: lunes, 5 de enero de 2026\nPara: Bob\nAsunto: Oferta",
        "Da: Ada Byron\nInviato: lunedì 5 gennaio 2026\nA: Bob\nOggetto: Offerta",
        "Van: Ada Byron\nVerzonden: maandag 5 januari 2026\nAan: Bob\nOnderwerp: Aanbod",
        "-----Original Message-----\nAda wrote to Bob",
        "-----Ursprüngliche Nachricht-----\nVon: Ada",
        "-----Message d'origine-----\nDe : Ada",
        "-----Mensaje original-----\nDe: Ada",
        "-----Messaggio originale-----\nDa: Ada",
        "-----Oorspronkelijk bericht-----\nVan: Ada",
    ];
    for head in heads {
        assert_kept(&format!("Yes.\n\n{head}\n\nMay I?"), "Yes.");
        assert_kept(
            &format!("Yes.\n________________________________\n{head}\n\nMay I?"),
            "Yes.",
        );
        assert_eq!(
            trim(&format!("Look.\n\n{head}\n\nMay I?"), "WG: Angebot"),
            format!("Look.\n\n{head}\n\nMay I?")
        );
    }
}

#[test]
fn answers_between_quoted_lines_are_kept() {
    assert_kept(
        "On 5 Jan 2026, Ada wrote:\n> May I?\n\nYes.\n\n> And Bob?\n\nBob too.",
        "Yes.\n\nBob too.",
    );
}

#[test]
fn signatures_are_trimmed() {
    assert_kept("Yes.\n\n-- \nBob\n+1 555 0100", "Yes.");
    assert_kept(
        "Yes.\n--\nBob\n\nOn 5 Jan 2026, Ada wrote:\n> May I?",
        "Yes.",
    );
    for device in [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Get Outlook for iOS",
    ] {
        assert_kept(&format!("Yes.\n\n{device}"), "Yes.");
    }
}

#[test]
fn a_rule_with_much_text_below_it_is_no_signature() {
    let below = ["line"; 20].join("\n");
    assert_kept(&format!("Yes.\n--\n{below}"), &format!("Yes.\n--\n{below}"));
}

#[test]
fn sentences_that_look_alike_are_kept() {
    for text in [
        "On Monday the board wrote:\nwe agree",
        "From: the beginning\nit was clear",
        "The original message\nwas lost",
        "Von meinem Chef kam nichts.",
        "a > b\nTo: do",
    ] {
        assert_kept(text, text);
    }
}

#[test]
fn a_mail_that_is_nothing_but_a_quote_keeps_its_text() {
    assert_kept("> May I?\n> Ada", "> May I?\n> Ada");
    let head = "From: Ada\nSent: Monday\nTo: Bob\nSubject: Offer\n\nMay I?";
    assert_kept(head, head);
    assert_kept("-- \nBob", "-- \nBob");
    assert_kept(" \n", "");
}

#[test]
fn what_was_forwarded_is_kept() {
    for mark in [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "---------- Weitergeleitete Nachricht ----------",
        "Anfang der weitergeleiteten Nachricht:",
        "---------- Message transféré ---------",
        "Début du message réexpédié :",
        "---------- Mensaje reenviado ---------",
        "---------- Messaggio inoltrato ---------",
        "Inizio messaggio inoltrato:",
        "---------- Doorgestuurd bericht ---------",
        "Begin doorgestuurd bericht:",
        "-------- Forwarded Message --------",
    ] {
        let mail =
            format!("See below.\n\n{mark}\nFrom: Ada\nDate: Monday\nTo: Bob\n\n> May I?\n-- \nAda");
        assert_kept(&mail, &mail.replace("-- \n", "--\n"));
    }
}
